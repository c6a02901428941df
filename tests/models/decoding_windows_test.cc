// Decoding with windows: what they leave out is neither read nor kept.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "models/model.h"
#include "ops/key_value_cache.h"
#include "tests/models/decoder_files.h"
#include "tests/models/model_trial.h"

namespace roformer::test {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

const ModelConfig& file_config(const std::string& name) {
  static std::map<std::string, ModelConfig> read;
  for (const DecoderJson& one : kDecoderFiles) {
    if (one.name == name) return read.try_emplace(name, one.read()).first->second;
  }
  throw std::invalid_argument(name);
}

class DecodingWindows : public ::testing::Test {
 protected:
  Model model_of(const ModelConfig& config, Backend& backend) {
    Model model(backend, config, false);
    randomize(model, 5);
    return model;
  }
  static Tensor pass(const Model& model, DecodingState& state, const Batch& batch) {
    return model.trunk().forward({.backend = model.backend()}, batch, {.state = &state}).data;
  }
  // Tokens `done` … of sequence `s`.
  static void add_part(Batch& to, const Batch& from, int64_t s, int64_t done, int64_t count, int32_t position) {
    const auto begin = static_cast<size_t>(from.offsets[static_cast<size_t>(s)] + done);
    to.append(std::span(from.ids).subspan(begin, static_cast<size_t>(count)), {}, position);
  }
  static void add_part(Batch& to, const Batch& from, int64_t s, int64_t done, int64_t count) {
    add_part(to, from, s, done, count, static_cast<int32_t>(done));
  }

  ThreadPool pool_{1};
  std::unique_ptr<Backend> cpu_ = make_cpu_backend(pool_), reference_ = make_reference_backend(pool_);
};

// Sequences of other lengths, which begin and end in other passes; pieces below and above those of other kernels.
TEST_F(DecodingWindows, FarBeyondTheWindowIsTheWholePass) {
  const std::vector<int64_t> lengths = {430, 90, 260};
  for (const char* name : {"mistral", "qwen2", "gemma2", "gemma3"}) {
    const ModelConfig& config = file_config(name);
    const Batch batch = random_batch(config, lengths, 6).batch;
    for (Backend* backend : {cpu_.get(), reference_.get()}) {
      const Model model = model_of(config, *backend);
      const std::vector<double> whole = values_of(hidden_states(model, batch));
      std::vector<double> pieces(whole.size());
      DecodingState state(3);
      const int64_t counts[] = {1, 7, 1, 1, 30, 1, 1, 1, 100, 1};
      for (size_t step = 0; state.tokens(0) < lengths[0]; ++step) {
        Batch part;
        std::vector<int64_t> begins;
        for (int64_t s = 0; s < 3; ++s) {
          const int64_t done = state.tokens(s), left = lengths[static_cast<size_t>(s)] - done;
          const bool waits = s == 1 && step < 5;
          const int64_t count = waits ? 0 : std::min(left, counts[(step + static_cast<size_t>(s)) % std::size(counts)]);
          add_part(part, batch, s, done, count);
          begins.push_back((batch.offsets[static_cast<size_t>(s)] + done) * config.hidden);
        }
        const Tensor hidden = pass(model, state, part);
        for (size_t s = 0; s < 3; ++s) {
          const auto rows = values_of(hidden.row_range(part.offsets[s], part.offsets[s + 1] - part.offsets[s]));
          std::copy(rows.begin(), rows.end(), pieces.begin() + begins[s]);
        }
      }
      // The others may end before the first.
      for (int64_t s = 1; s < 3; ++s) {
        if (state.tokens(s) == lengths[static_cast<size_t>(s)]) continue;
        Batch rest;
        for (int64_t other = 0; other < 3; ++other) {
          const int64_t done = state.tokens(other);
          add_part(rest, batch, other, done, other == s ? lengths[static_cast<size_t>(s)] - done : 0);
        }
        const int64_t begin = (batch.offsets[static_cast<size_t>(s)] + state.tokens(s)) * config.hidden;
        const auto rows = values_of(pass(model, state, rest));
        std::copy(rows.begin(), rows.end(), pieces.begin() + begin);
      }
      EXPECT_LE(relative_difference(pieces, whole), 2e-5) << name << backend->name();
    }
  }
}

TEST_F(DecodingWindows, MemoryStaysThatOfTheWindow) {
  const ModelConfig& config = file_config("mistral");  // all layers see 4 tokens
  const Model model = model_of(config, *cpu_);
  const Batch batch = random_batch(config, {1600}, 6).batch;
  DecodingState state(1);
  Batch prompt;
  add_part(prompt, batch, 0, 0, 1000);
  pass(model, state, prompt);
  EXPECT_EQ(state.bytes(), (3 + KeyValueCache::kSpare) * decoding_bytes(config));
  int64_t most = 0;
  for (int64_t t = 1000; t < 1600; ++t) {
    Batch next;
    add_part(next, batch, 0, t, 1);
    pass(model, state, next);
    most = std::max(most, state.bytes());
  }
  EXPECT_LE(most, decoding_bytes(config, 1600));
  EXPECT_EQ(decoding_bytes(config, 1600), 4 * (4 + KeyValueCache::kSpare) * decoding_bytes(config));
  EXPECT_EQ(state.tokens(0), 1600);
}

TEST_F(DecodingWindows, CopiesAndTokensTakenBack) {
  const ModelConfig& config = file_config("gemma3");
  const Model model = model_of(config, *cpu_);
  const Batch batch = random_batch(config, {500}, 6).batch;
  const std::vector<double> whole = values_of(hidden_states(model, batch));
  const std::vector<double> expected(whole.end() - config.hidden, whole.end());
  DecodingState state(1);
  Batch prompt, more, last;
  add_part(prompt, batch, 0, 0, 300);
  pass(model, state, prompt);
  state.select(*cpu_, std::vector<int32_t>{0, 0});
  // Both go on; what the second gets is wrong, is taken back, and right then.
  add_part(more, batch, 0, 300, 199);
  add_part(more, batch, 0, 300, 199);
  pass(model, state, more);
  Batch wrong;
  wrong.append({});
  std::vector<int32_t> ids(static_cast<size_t>(KeyValueCache::kSpare), 7);
  wrong.append(ids, {}, 499);
  pass(model, state, wrong);
  model.trunk().forget(*cpu_, state, 1, 499, KeyValueCache::kSpare);
  for (int i = 0; i < 2; ++i) add_part(last, batch, 0, 499, 1);
  const Tensor rows = pass(model, state, last);
  EXPECT_LE(relative_difference(values_of(rows.row_range(0, 1)), expected), 2e-5);
  EXPECT_LE(relative_difference(values_of(rows.row_range(1, 1)), expected), 2e-5);
  EXPECT_THAT([&] { model.trunk().forget(*cpu_, state, 0, 400, 100); },
              ThrowsMessage<ShapeError>(HasSubstr("expected at most 64")));
}

// In the first layer, keys are functions of token and position alone.
TEST_F(DecodingWindows, AContextShiftLeavesTheWindow) {
  ModelConfig config = file_config("mistral");
  config.layers = 1;
  complete(config, "");
  const Model model = model_of(config, *cpu_);
  const Batch batch = random_batch(config, {301}, 6).batch;
  for (const auto& [first, count] : {std::pair<int64_t, int64_t>{1, 150}, {0, 290}, {200, 98}}) {
    DecodingState state(1);
    Batch prompt, next, shorter;
    add_part(prompt, batch, 0, 0, 300);
    pass(model, state, prompt);
    model.trunk().forget(*cpu_, state, 0, first, count);
    EXPECT_EQ(state.tokens(0), 300 - count);
    add_part(next, batch, 0, 300, 1, state.next_position(0));
    const auto last = values_of(pass(model, state, next));
    std::vector<int32_t> ids(batch.ids.begin(), batch.ids.begin() + first);
    ids.insert(ids.end(), batch.ids.begin() + first + count, batch.ids.end());
    // Tokens before a gap within the window are out of sight.
    if (first + count > 297) ids.erase(ids.begin(), ids.begin() + first);
    shorter.append(ids);
    const Tensor all = hidden_states(model, shorter);
    EXPECT_LE(relative_difference(last, values_of(all.row_range(all.rows() - 1, 1))), 1e-5) << first;
  }
}

}  // namespace
}  // namespace roformer::test
