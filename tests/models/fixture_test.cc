// Whole models against the oracle of tests/fixtures/README.md, on every backend.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <ostream>
#include <string>
#include <tuple>
#include <vector>

#include "base/json.h"
#include "formats/safetensors.h"
#include "models/model.h"
#include "tests/models/model_trial.h"

namespace roformer::test {
namespace {

// Tolerances of backends: maximal difference / maximal expected value.
struct Device {
  const char* name;
  double outputs, gradients, losses;
};

void PrintTo(const Device& device, std::ostream* out) { *out << device.name; }

class FixtureTest : public ::testing::TestWithParam<std::tuple<const char*, Device>> {
 protected:
  FixtureTest() {
    const Json inputs = JsonObject::read(directory_ + "/inputs.json").value();
    const size_t sequences = inputs.at("input_ids").size();
    for (size_t s = 0; s < sequences; ++s) {
      const auto ids = inputs.at("input_ids")[s].get<std::vector<int32_t>>();
      std::vector<int32_t> segments;
      if (inputs.contains("token_type_ids")) segments = inputs.at("token_type_ids")[s].get<std::vector<int32_t>>();
      const auto first = static_cast<int32_t>(data_.batch.tokens());
      data_.batch.append(ids, segments);
      const Tensor labels = expected_.tensor(fmt::format("labels.{}", s));
      for (int32_t i = 0; i < static_cast<int32_t>(ids.size()); ++i) {
        if (labels.data<int64_t>()[i] < 0) continue;
        data_.rows.push_back(first + i);
        data_.labels.push_back(static_cast<int32_t>(labels.data<int64_t>()[i]));
      }
      std::vector<int32_t> kept;
      if (inputs.contains("rows")) {
        kept = inputs.at("rows")[s].get<std::vector<int32_t>>();
      } else {
        for (int32_t i = 0; i < static_cast<int32_t>(ids.size()); ++i) kept.push_back(i);
      }
      for (int32_t& row : kept) row += first;
      kept_.push_back(kept);
    }
    const Json& adamw = inputs.at("adamw");
    adamw_.learning_rate = adamw.at("learning_rate");
    adamw_.beta1 = adamw.at("beta1");
    adamw_.beta2 = adamw.at("beta2");
    adamw_.epsilon = adamw.at("epsilon");
    weight_decay_ = adamw.at("weight_decay");
  }

  std::vector<double> expected(const std::string& name) const { return values_of(expected_.tensor(name)); }

  std::string directory_ = std::string(ROFORMER_SOURCE_DIR "/tests/fixtures/") + std::get<0>(GetParam());
  Device device_ = std::get<1>(GetParam());
  SafetensorsFile expected_{directory_ + "/expected.safetensors"};
  LabeledBatch data_;
  std::vector<std::vector<int32_t>> kept_;  // rows of the batch that the fixture has, by sequence
  AdamWStep adamw_;
  double weight_decay_ = 0;
  ThreadPool pool_{2};
  std::unique_ptr<Backend> backend_ = std::string(device_.name) == "reference64"
                                          ? make_reference_backend(pool_, DType::float64)
                                          : make_backend(device_.name, pool_);
  Model model_ = load_model(directory_, *backend_, true);
};

TEST_P(FixtureTest, HiddenStatesAndLogits) {
  const Context context{.backend = *backend_};
  const Value hidden = model_.trunk().forward(context, data_.batch);
  for (size_t s = 0; s < kept_.size(); ++s) {
    const std::string suffix = fmt::format(".{}", s);
    const Value rows = gather_rows(context, hidden, kept_[s]);
    EXPECT_LE(relative_difference(values_of(rows.data), expected("last_hidden_state" + suffix)), device_.outputs);
    const Value logits = model_.mlm_head().logits(context, rows, model_.trunk().word_embeddings());
    EXPECT_LE(relative_difference(values_of(logits.data), expected("logits" + suffix)), device_.outputs);
  }
}

TEST_P(FixtureTest, LossAndGradients) {
  const double loss = train_pass(model_, data_);
  EXPECT_LE(relative_difference({loss}, expected("loss")), device_.losses);
  size_t compared = 0;
  for (const Result& gradient : gradients(model_)) {
    EXPECT_LE(relative_difference(gradient.values, expected("grad." + gradient.name)), device_.gradients)
        << gradient.name;
    ++compared;
  }
  size_t given = 0;
  for (const TensorInfo& info : expected_.tensors()) given += info.name.starts_with("grad.");
  EXPECT_EQ(compared, given);
}

TEST_P(FixtureTest, TenStepsOfAdamW) {
  std::vector<Tensor> first, second;
  for (const NamedParameter& named : model_.parameters()) {
    for (auto* moments : {&first, &second}) {
      moments->push_back(backend_->empty(named.parameter.value.shape()));
      backend_->fill(moments->back(), 0);
    }
  }
  const std::vector<double> losses = expected("adamw_losses");
  ASSERT_EQ(losses.size(), 10u);
  for (const double expected_loss : losses) {
    clear_gradients(model_);
    ASSERT_LE(relative_difference({train_pass(model_, data_)}, {expected_loss}), device_.losses)
        << "before step " << adamw_.step;
    std::vector<AdamWTensors> tensors;
    for (size_t i = 0; i < first.size(); ++i) {
      const NamedParameter& named = model_.parameters()[i];
      tensors.push_back({named.parameter.gradient, named.parameter.value, first[i], second[i],
                         decays(named.role) ? weight_decay_ : 0});
    }
    backend_->adamw(adamw_, tensors);
    ++adamw_.step;
  }
}

INSTANTIATE_TEST_SUITE_P(
    , FixtureTest,
    ::testing::Combine(::testing::Values("small_ragged", "rotary_value", "long_650", "one_token"),
                       ::testing::Values(Device{"cpu", 2e-5, 1e-4, 1e-5}, Device{"reference", 2e-5, 1e-4, 1e-5},
                                         Device{"reference64", 1e-10, 1e-10, 1e-10})),
    [](const auto& param) { return std::string(std::get<0>(param.param)) + "_" + std::get<1>(param.param).name; });

}  // namespace
}  // namespace roformer::test
