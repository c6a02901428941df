// One folder of tests/fixtures/families (tests/fixtures/README.md) and the outputs of a model for its inputs.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/json.h"
#include "formats/safetensors.h"
#include "models/model.h"
#include "tests/models/model_trial.h"

namespace roformer::test {

inline const std::vector<std::string>& family_fixtures() {
  static const std::vector<std::string> names{
      "roformer_model",
      "roformer_masked_lm",
      "roformer_masked_lm_untied",
      "roformer_small_generator",
      "roformer_causal_lm",
      "roformer_causal_lm_untied",
      "roformer_causal_lm_rotary_value",
      "roformer_causal_lm_cross",
      "roformer_model_cross_rotary_value",
      "roformer_sequence_single_label",
      "roformer_sequence_multi_label",
      "roformer_sequence_regression",
      "roformer_token_classification",
      "roformer_question_answering",
      "roformer_multiple_choice",
      "roformer_multiple_choice_first",
      "roformer_multiple_choice_mean",
      "bert_model",
      "bert_minilm",
      "bert_masked_lm",
      "bert_masked_lm_untied",
      "bert_pretraining",
      "bert_causal_lm",
      "bert_causal_lm_cross",
      "bert_sequence_classification",
      "bert_token_classification",
      "bert_question_answering",
      "bert_multiple_choice",
      "v2_masked_lm",
      "v2_model_projected",
      "v2_sequence_classification",
      "v2_trained_scale",
      "sim",
      "sim_prefix",
      "junnyu_pooler",
      "junnyu_cross",
  };
  return names;
}

// Results by the names of expected.safetensors: "last_hidden_state.0", "logits.0", "pooler_output.0".
using Activations = std::map<std::string, std::vector<double>>;

class FamilyFixture {
 public:
  explicit FamilyFixture(const std::string& name, const std::string& folder = "families")
      : directory_(ROFORMER_SOURCE_DIR "/tests/fixtures/" + folder + "/" + name),
        inputs_(JsonObject::read(directory_ + "/inputs.json").value()) {
    const SafetensorsFile file(directory_ + "/expected.safetensors");
    for (const TensorInfo& info : file.tensors()) expected_[info.name] = values_of(file.tensor(info.name));
  }

  const std::string& directory() const { return directory_; }
  const Activations& expected() const { return expected_; }

  std::vector<size_t> sequences() const {
    std::vector<size_t> all(inputs_.at("input_ids").size());
    std::iota(all.begin(), all.end(), 0);
    return all;
  }

  // All outputs of the model for these sequences, packed into one batch.
  Activations run(const Model& model, const std::vector<size_t>& sequences) const {
    const Context context{.backend = model.backend()};
    Batch batch = make_batch(sequences);
    Memory memory = make_memory(model, sequences);
    Activations result;
    if (inputs_.contains("decoder_input_ids")) {
      memory = {model.encoder().forward(context, batch), batch.offsets};
      split("encoder_last_hidden_state", memory.hidden.data, batch, sequences, result);
      batch = make_decoder_batch(sequences);
    }
    StackInputs inputs;
    if (inputs_.contains("visibility"))
      inputs.attention_mask = parse_attention_mask(inputs_.at("visibility").get<std::string>());
    inputs.memory = memory.hidden;
    inputs.memory_offsets = memory.offsets;

    const Value hidden = model.trunk().forward(context, batch, inputs);
    split("last_hidden_state", hidden.data, batch, sequences, result);
    if (model.has_pooler()) split("pooler_output", model.pooled(context, hidden, batch).data, batch, sequences, result);
    if (model.config().head != Head::none) {
      split("logits", model.logits(context, hidden, batch).data, batch, sequences, result);
    }
    return result;
  }

  // Each sequence in a batch of its own.
  Activations run_one_by_one(const Model& model) const {
    Activations result;
    for (const size_t sequence : sequences()) result.merge(run(model, {sequence}));
    return result;
  }

 private:
  struct Memory {
    Value hidden;
    std::vector<int32_t> offsets;
  };

  Batch make_batch(const std::vector<size_t>& sequences) const {
    Batch batch;
    for (const size_t s : sequences) {
      batch.append(inputs_.at("input_ids")[s].get<std::vector<int32_t>>(),
                   inputs_.at("token_type_ids")[s].get<std::vector<int32_t>>());
      if (!inputs_.contains("position_ids")) continue;
      const auto positions = inputs_.at("position_ids")[s].get<std::vector<int32_t>>();
      std::ranges::copy(positions, batch.positions.end() - std::ssize(positions));
    }
    return batch;
  }

  Batch make_decoder_batch(const std::vector<size_t>& sequences) const {
    Batch batch;
    for (const size_t s : sequences) batch.append(inputs_.at("decoder_input_ids")[s].get<std::vector<int32_t>>());
    return batch;
  }

  Memory make_memory(const Model& model, const std::vector<size_t>& sequences) const {
    if (!inputs_.contains("encoder_hidden_states")) return {};
    Memory memory{.hidden = {}, .offsets = {0}};
    std::vector<double> flat;
    for (const size_t s : sequences) {
      const Json& rows = inputs_.at("encoder_hidden_states")[s];
      for (const Json& row : rows) {
        for (const Json& value : row) flat.push_back(value.get<double>());
      }
      memory.offsets.push_back(memory.offsets.back() + static_cast<int32_t>(rows.size()));
    }
    const Tensor hidden = model.backend().empty({memory.offsets.back(), model.config().hidden});
    assign(hidden, flat);
    memory.hidden = Value(hidden);
    return memory;
  }

  // Rows of tokens or, one each, of sequences.
  static void split(const std::string& name, const Tensor& x, const Batch& batch, const std::vector<size_t>& sequences,
                    Activations& result) {
    const bool of_tokens = x.rows() == batch.tokens();
    ASSERT_TRUE(of_tokens || x.rows() == batch.sequences()) << name << " has " << x.rows() << " rows";
    for (size_t i = 0; i < sequences.size(); ++i) {
      const int64_t begin = of_tokens ? batch.offsets[i] : static_cast<int64_t>(i);
      const int64_t end = of_tokens ? batch.offsets[i + 1] : begin + 1;
      result[fmt::format("{}.{}", name, sequences[i])] = values_of(x.row_range(begin, end - begin));
    }
  }

  std::string directory_;
  Json inputs_;
  Activations expected_;
};

inline void expect_close(const Activations& actual, const Activations& expected, double tolerance) {
  for (const auto& [name, values] : expected) {
    ASSERT_TRUE(actual.contains(name)) << name << " is missing";
    EXPECT_LE(relative_difference(actual.at(name), values), tolerance) << name;
  }
  for (const auto& [name, values] : actual) EXPECT_TRUE(expected.contains(name)) << name << " is too much";
}

}  // namespace roformer::test
