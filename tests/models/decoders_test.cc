// Mistral, Qwen, Gemma, GPT-J and GPT-Neo against transformers (tests/fixtures/README.md, "decoders").
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/models/decoder_trial.h"

namespace roformer::test {
namespace {

class DecodersTest : public DecoderFixtureTest {
 protected:
  DecodersTest() : DecoderFixtureTest("decoders") {}

  // Hidden states with a KV cache: prompts of a token or more, then one token of each sequence at a time.
  Activations decoded(const Model& model, int64_t prompt) {
    const auto ids = JsonObject::read(fixture_.directory() + "/inputs.json").value().at("input_ids");
    const size_t sequences = ids.size();
    std::vector<Activations::mapped_type> rows(sequences);
    DecodingState state(static_cast<int64_t>(sequences));
    for (bool more = true; more;) {
      more = false;
      Batch batch;
      for (size_t s = 0; s < sequences; ++s) {
        const auto all = ids[s].get<std::vector<int32_t>>();
        const auto done = static_cast<size_t>(state.tokens(static_cast<int64_t>(s)));
        const size_t count = std::min(all.size() - done, done == 0 ? static_cast<size_t>(prompt) : 1);
        batch.append(std::span(all).subspan(done, count), {}, static_cast<int32_t>(done));
        more = more || done + count < all.size();
      }
      const Tensor hidden = model.trunk().forward({.backend = model.backend()}, batch, {.state = &state}).data;
      for (size_t s = 0; s < sequences; ++s) {
        const auto part = values_of(hidden.row_range(batch.offsets[s], batch.offsets[s + 1] - batch.offsets[s]));
        rows[s].insert(rows[s].end(), part.begin(), part.end());
      }
    }
    Activations result;
    for (size_t s = 0; s < sequences; ++s) result[fmt::format("last_hidden_state.{}", s)] = rows[s];
    return result;
  }
};

TEST_P(DecodersTest, PackedInOneBatch) { expect_right_when_packed(); }
TEST_P(DecodersTest, OneByOne) { expect_right_one_by_one(); }
TEST_P(DecodersTest, EveryKeyOfTheConfigIsUnderstood) { expect_every_key_understood(); }

TEST_P(DecodersTest, WhatIsWrittenIsTheSameFile) {
  const std::string trunk = load(*cpu_).config().family->trunk;
  expect_the_same_tensors_when_written(trunk + ".");
}

TEST_P(DecodersTest, TokenByTokenBeyondTheWindow) {
  Activations expected = fixture_.expected();
  std::erase_if(expected, [](const auto& one) { return one.first.starts_with("logits"); });
  for (const int64_t prompt : {1, 3, 9}) {
    expect_close(decoded(load(*exact_), prompt), expected, tolerance_);
    Model prepared = load(*cpu_);
    prepared.prepare();
    expect_close(decoded(prepared, prompt), expected, kSingle);
  }
}

// As published before transformers 5: float16 or bfloat16, and masks beside the weights.
TEST_P(DecodersTest, BuffersOfOlderFilesAreIgnored) {
  auto tensors = this->tensors();
  const std::string prefix =
      load(*cpu_).config().head == Head::none ? "" : load(*cpu_).config().family->trunk + std::string(".");
  for (const char* name : {"h.0.attn.bias", "h.0.attn.masked_bias", "h.0.attn.attention.bias",
                           "h.0.attn.attention.masked_bias", "layers.0.self_attn.rotary_emb.inv_freq"}) {
    tensors.emplace_back(prefix + name, Tensor::allocate({1}, DType::float32));
  }
  expect_right_with(tensors);
}

INSTANTIATE_TEST_SUITE_P(, DecodersTest,
                         ::testing::Values("mistral", "qwen2", "qwen3", "gemma", "gemma2", "gemma3", "gemma3_trunk",
                                           "gptj", "gpt_neo"),
                         [](const auto& param) { return param.param; });

}  // namespace
}  // namespace roformer::test
