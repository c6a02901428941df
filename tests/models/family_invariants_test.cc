// Invariants of every family: packing, KV cache, shifted positions, thread counts, and file round trips.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/json.h"
#include "models/model.h"
#include "models/save_model.h"
#include "tests/models/decoder_files.h"
#include "tests/models/model_trial.h"

namespace roformer::test {
namespace {

constexpr double kFamilyTolerance = 2e-5;

// Of the other families; decoders are in decoder_files.h.
constexpr DecoderJson kOtherFiles[] = {
    {"roformer_decoder", R"({"architectures": ["RoFormerForCausalLM"], "is_decoder": true, "vocab_size": 23,
      "embedding_size": 6, "hidden_size": 12, "num_hidden_layers": 3, "num_attention_heads": 3, "intermediate_size": 10})"},
    {"roformer_v2",
     R"({"architectures": ["RoFormerForMaskedLM"], "vocab_size": 23, "hidden_size": 12, "use_bias": false,
      "norm_type": "rms_norm", "num_hidden_layers": 3, "num_attention_heads": 3, "intermediate_size": 10})"},
    {"bert", R"({"architectures": ["BertForSequenceClassification"], "vocab_size": 23, "hidden_size": 12,
      "num_hidden_layers": 3, "num_attention_heads": 3, "intermediate_size": 10, "max_position_embeddings": 64})"},
};

class FamilyInvariants : public ::testing::TestWithParam<DecoderJson> {
 protected:
  FamilyInvariants() : config_(GetParam().read()) {}

  Model random_model(Backend& backend, bool trainable = false) const {
    Model model(backend, config_, trainable);
    randomize(model, 5);
    return model;
  }

  static std::vector<double> states(const Model& model, const Batch& batch) {
    return values_of(hidden_states(model, batch));
  }

  ModelConfig config_;
  ThreadPool pool_{2};
  std::unique_ptr<Backend> cpu_ = make_cpu_backend(pool_), reference_ = make_reference_backend(pool_);
};

TEST_P(FamilyInvariants, PackedIsOneByOne) {
  for (Backend* backend : {cpu_.get(), reference_.get()}) {
    const Model model = random_model(*backend);
    const LabeledBatch data = random_batch(config_, {7, 1, 40, 2, 13}, 6);
    const Tensor packed = hidden_states(model, data.batch);
    for (int64_t s = 0; s < data.batch.sequences(); ++s) {
      const Tensor alone = hidden_states(model, sequence_of(data, s).batch);
      const int32_t begin = data.batch.offsets[static_cast<size_t>(s)];
      EXPECT_LE(relative_difference(values_of(packed.row_range(begin, alone.rows())), values_of(alone)),
                kFamilyTolerance);
    }
  }
}

TEST_P(FamilyInvariants, CpuIsTheReference) {
  const Batch batch = random_batch(config_, {50, 3, 0, 17}, 7).batch;
  EXPECT_LE(relative_difference(states(random_model(*cpu_), batch), states(random_model(*reference_), batch)),
            kFamilyTolerance);
}

TEST_P(FamilyInvariants, TheSameBitsAtAnyNumberOfThreads) {
  ThreadPool one(1), three(3);
  const auto first = make_cpu_backend(one), second = make_cpu_backend(three);
  const Batch batch = random_batch(config_, {50, 3, 0, 17}, 7).batch;
  EXPECT_EQ(states(random_model(*first), batch), states(random_model(*second), batch));
}

TEST_P(FamilyInvariants, CachedIsComputedAnew) {
  if (config_.attention_mask == AttentionMask::bidirectional) return;  // no decoding
  const Batch batch = random_batch(config_, {31}, 8).batch;
  for (Backend* backend : {cpu_.get(), reference_.get()}) {
    const Model model = random_model(*backend);
    const Context context{.backend = *backend};
    DecodingState state(1);
    std::vector<double> pieces;
    for (int32_t done = 0; const int32_t count : {9, 1, 1, 14, 1, 5}) {
      Batch part;
      part.append(std::span(batch.ids).subspan(static_cast<size_t>(done), static_cast<size_t>(count)),
                  std::span(batch.segments).subspan(static_cast<size_t>(done), static_cast<size_t>(count)), done);
      const auto rows = values_of(model.trunk().forward(context, part, {.state = &state}).data);
      pieces.insert(pieces.end(), rows.begin(), rows.end());
      done += count;
    }
    EXPECT_LE(relative_difference(pieces, states(model, batch)), kFamilyTolerance) << backend->name();
  }
}

TEST_P(FamilyInvariants, ShiftedPositionsGiveTheSame) {
  if (!keys_can_move(config_.position)) return;  // positions are added to the input
  const Model model = random_model(*cpu_);
  Batch batch = random_batch(config_, {20, 5}, 9).batch;
  const std::vector<double> expected = states(model, batch);
  for (int32_t& position : batch.positions) position += 1000;
  EXPECT_LE(relative_difference(states(model, batch), expected), kFamilyTolerance);
}

TEST_P(FamilyInvariants, WhatIsWrittenIsRead) {
  const Model model = random_model(*cpu_);
  StateDict tensors;
  for (const auto& [name, tensor] : file_weights(model)) tensors.emplace(name, tensor);
  const ModelConfig again = read_config(JsonObject(write_config(config_), "written"));
  EXPECT_EQ(write_config(again), write_config(config_));
  ModelConfig config = again;
  config.pooler = config_.pooler;  // not in config.json
  const Model loaded = build_model(*cpu_, config, tensors, "written");
  ASSERT_EQ(loaded.table().size(), model.table().size());
  for (size_t i = 0; i < model.table().size(); ++i) {
    EXPECT_EQ(loaded.table()[i].spec.name, model.table()[i].spec.name);
    EXPECT_EQ(values_of(loaded.table()[i].parameter.value), values_of(model.table()[i].parameter.value))
        << model.table()[i].spec.name;
  }
}

TEST_P(FamilyInvariants, ATrunkIsReadFromAFileWithAHead) {
  StateDict tensors;
  for (const auto& [name, tensor] : file_weights(random_model(*cpu_))) tensors.emplace(name, tensor);
  ModelConfig config = config_;
  config.head = Head::none;
  complete(config, "");
  const Batch batch = random_batch(config_, {20, 5}, 9).batch;
  EXPECT_EQ(states(build_model(*cpu_, config, tensors, "trunk"), batch), states(random_model(*cpu_), batch));
}

INSTANTIATE_TEST_SUITE_P(, FamilyInvariants, ::testing::ValuesIn(kOtherFiles),
                         [](const auto& which) { return std::string(which.param.name); });
INSTANTIATE_TEST_SUITE_P(Decoders, FamilyInvariants, ::testing::ValuesIn(kDecoderFiles),
                         [](const auto& which) { return std::string(which.param.name); });

}  // namespace
}  // namespace roformer::test
