// A small model, in float64 unless asked otherwise, and texts of token ids, for objectives of sentence vectors.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <utility>
#include <vector>

#include "models/model.h"
#include "tasks/vectors/vector_inputs.h"
#include "training/objective.h"

namespace roformer::test {

class VectorTrial : public ::testing::Test {
 protected:
  static constexpr int32_t kCls = 2, kSep = 3, kMask = 4;

  static ModelConfig config(double dropout = 0) {
    ModelConfig result;
    result.vocabulary = 24;
    result.hidden = result.embedding = 8;
    result.layers = 2;
    result.heads = 2;
    result.intermediate = 12;
    result.hidden_dropout = result.attention_dropout = dropout;
    result.initializer_range = 0.5;
    result.head = Head::none;
    complete(result, "");
    return result;
  }
  Model model(const ModelConfig& config) {
    Model result(*backend_, config, true);
    result.initialize({3, 0});
    return result;
  }

  // For what is computed without training; before any model is made.
  void use_float32() { backend_ = make_reference_backend(pool_); }

  // Examples of texts "[CLS] ids [SEP]", equal ones being one text.
  static VectorInputs inputs(const std::vector<std::vector<std::vector<int32_t>>>& examples) {
    VectorInputs result;
    for (const auto& texts : examples) {
      std::vector<int32_t>& example = result.examples.emplace_back();
      for (std::vector<int32_t> ids : texts) {
        ids.insert(ids.begin(), kCls);
        ids.push_back(kSep);
        const auto found = std::ranges::find(result.texts, ids, &Encoding::ids);
        example.push_back(static_cast<int32_t>(found - result.texts.begin()));
        if (found != result.texts.end()) continue;
        Encoding& text = result.texts.emplace_back();
        text.segment_ids.assign(ids.size(), 0);
        text.ids = std::move(ids);
      }
    }
    return result;
  }

  // One pass over the micro-batches as TrainingStep makes it; returns the loss, mean over labels. Gradients are in the
  // model's parameters.
  double pass(const Model& model, MicroBatches& batches) const {
    for (const NamedParameter& named : model.parameters()) backend_->fill(named.parameter.gradient, 0);
    const double scale = 1 / static_cast<double>(batches.labels());
    const auto context_of = [&](int64_t i) {
      return Context{.backend = *backend_, .random = substream({7, 0}, static_cast<uint64_t>(i)), .training = true};
    };
    batches.before_pass(context_of);
    double loss = 0;
    for (int64_t i = 0; i < batches.micro_batches(); ++i) {
      Tape tape;
      Context context = context_of(i);
      context.tape = &tape;
      loss += batches.forward(context, i, scale).read().sum * scale;
      tape.backward();
    }
    return loss;
  }
  static std::vector<double> gradients(const Model& model) {
    std::vector<double> all;
    for (const NamedParameter& named : model.parameters()) {
      const Tensor& x = named.parameter.gradient;
      all.insert(all.end(), x.data<double>(), x.data<double>() + x.elements());
    }
    return all;
  }

  // Compares some gradients of each parameter with central differences of the loss.
  template <class LossOf>
  void expect_gradients(const Model& model, const LossOf& loss) const {
    constexpr double kStep = 1e-5;
    loss();
    std::vector<Tensor> saved;
    for (const NamedParameter& named : model.parameters()) {
      const Tensor copy = Tensor::allocate(named.parameter.gradient.shape(), DType::float64);
      copy_tensor(named.parameter.gradient, copy);
      saved.push_back(copy);
    }
    for (size_t p = 0; p < saved.size(); ++p) {
      const NamedParameter& named = model.parameters()[p];
      for (const int64_t i : {int64_t{0}, saved[p].elements() / 2, saved[p].elements() - 1}) {
        double& value = named.parameter.value.data<double>()[i];
        const double before = value;
        value = before + kStep;
        const double more = loss();
        value = before - kStep;
        const double less = loss();
        value = before;
        EXPECT_NEAR(saved[p].data<double>()[i], (more - less) / (2 * kStep), 1e-6) << named.name << " " << i;
      }
    }
  }

  ThreadPool pool_{1};
  std::unique_ptr<Backend> backend_ = make_reference_backend(pool_, DType::float64);
};

}  // namespace roformer::test
