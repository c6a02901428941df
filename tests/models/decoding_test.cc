// Decoding with a KV cache equals a pass over the whole sequences.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "models/model.h"
#include "tests/models/model_trial.h"

namespace roformer::test {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

constexpr double kTolerance = 2e-5;

// New tokens of each sequence in each pass: prompts, single tokens, chunks, nothing, many at once.
const std::vector<std::vector<int64_t>> kPasses = {{5, 1, 17}, {1, 1, 1}, {1, 2, 0}, {3, 20, 1}, {1, 1, 1}, {9, 1, 70}};

std::vector<int64_t> total_lengths() {
  std::vector<int64_t> lengths(kPasses[0].size());
  for (const auto& pass : kPasses) {
    for (size_t s = 0; s < lengths.size(); ++s) lengths[s] += pass[s];
  }
  return lengths;
}

ModelConfig causal_config(const std::string& position, AttentionMask attention_mask = AttentionMask::causal) {
  ModelConfig config = tiny_config(position);
  config.attention_mask = attention_mask;
  config.head = Head::causal_lm;
  config.max_positions = 128;
  if (auto* tupe = std::get_if<TupePosition>(&config.position)) tupe->max_positions = 128;
  if (auto* learned = std::get_if<LearnedPosition>(&config.position)) learned->max_positions = 128;
  config.embedding = config.hidden = 48;
  config.heads = 3;
  if (auto* rotary = std::get_if<RotaryPosition>(&config.position)) rotary->rotary.dim = 0;
  complete(config, "");
  return config;
}

// Rows `done` … of sequence s, `count` of them.
void append_part(Batch& to, const Batch& from, int64_t s, int64_t done, int64_t count) {
  const auto begin = from.offsets[static_cast<size_t>(s)] + done;
  const auto part = [&](const std::vector<int32_t>& all) {
    return std::vector<int32_t>(all.begin() + begin, all.begin() + begin + count);
  };
  to.append(part(from.ids), part(from.segments), static_cast<int32_t>(done));
}

// The logits of all tokens, in the order of `batch`, computed pass by pass.
std::vector<double> continued(const Model& model, const Batch& batch,
                              std::optional<AttentionMask> attention_mask = {}) {
  const Context context{.backend = model.backend()};
  const int64_t vocabulary = model.config().vocabulary;
  std::vector<double> all(static_cast<size_t>(batch.tokens() * vocabulary));
  DecodingState state(batch.sequences());
  std::vector<int64_t> done(static_cast<size_t>(batch.sequences()));
  for (const auto& pass : kPasses) {
    Batch part;
    for (size_t s = 0; s < done.size(); ++s) append_part(part, batch, static_cast<int64_t>(s), done[s], pass[s]);
    const StackInputs inputs{.attention_mask = attention_mask, .state = &state};
    const Value hidden = model.trunk().forward(context, part, inputs);
    const auto logits = values_of(model.logits(context, hidden, part).data);
    for (size_t s = 0, row = 0; s < done.size(); ++s) {
      for (int64_t i = 0; i < pass[s]; ++i, ++row, ++done[s]) {
        const auto place = static_cast<size_t>((batch.offsets[s] + done[s]) * vocabulary);
        std::copy_n(logits.begin() + static_cast<int64_t>(row) * vocabulary, vocabulary,
                    all.begin() + static_cast<int64_t>(place));
      }
    }
  }
  return all;
}

std::vector<double> at_once(const Model& model, const Batch& batch, std::optional<AttentionMask> attention_mask = {}) {
  const Context context{.backend = model.backend()};
  return values_of(
      model.logits(context, model.trunk().forward(context, batch, {.attention_mask = attention_mask}), batch).data);
}

class DecodingTest : public ::testing::TestWithParam<std::string_view> {
 protected:
  ThreadPool pool_{2};
  std::unique_ptr<Backend> cpu_ = make_cpu_backend(pool_), reference_ = make_reference_backend(pool_);
};

TEST_P(DecodingTest, IsTheWholePass) {
  const ModelConfig config = causal_config(std::string(GetParam()));
  const Batch batch = random_batch(config, total_lengths(), 6).batch;
  for (Backend* backend : {cpu_.get(), reference_.get()}) {
    for (const bool trainable : {false, true}) {  // fused layers, and one by one
      Model model(*backend, config, trainable);
      randomize(model, 5);
      EXPECT_LE(relative_difference(continued(model, batch), at_once(model, batch)), kTolerance)
          << backend->name() << trainable;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Encodings, DecodingTest, ::testing::ValuesIn(position_names()), [](const auto& which) {
  std::string name(which.param);
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

class Decoding : public ::testing::Test {
 protected:
  Model random_model(const ModelConfig& config) {
    Model model(*backend_, config, false);
    randomize(model, 5);
    return model;
  }
  Value pass(const Model& model, DecodingState& state, const Batch& batch,
             std::optional<AttentionMask> attention_mask = {}) {
    return model.trunk().forward({.backend = *backend_}, batch, {.attention_mask = attention_mask, .state = &state});
  }

  ThreadPool pool_{2};
  std::unique_ptr<Backend> backend_ = make_cpu_backend(pool_);
};

// Linear attention's sums instead of keys, both kinds in one model, and the limits of such a state.
TEST_F(Decoding, OfLinearAttention) {
  using Kinds = std::vector<AttentionKind>;
  for (const Kinds& kinds : {Kinds{AttentionKind::linear_elu}, Kinds{AttentionKind::linear_favor},
                             Kinds{AttentionKind::softmax, AttentionKind::linear_relu}}) {
    ModelConfig config = causal_config("rotary");
    config.layers = 2;
    config.attention = kinds;
    complete(config, "");
    const Model model = random_model(config);
    const Batch batch = random_batch(config, total_lengths(), 6).batch;
    EXPECT_LE(relative_difference(continued(model, batch), at_once(model, batch)), kTolerance);
    EXPECT_EQ(decoding_bytes(config) == 0, kinds.size() == 1);
    DecodingState state(2);
    Batch prompts;
    prompts.append(std::vector<int32_t>{1, 2, 3});
    prompts.append(std::vector<int32_t>{4, 5});
    pass(model, state, prompts);
    EXPECT_THAT([&] { model.trunk().forget(*backend_, state, 0, 0, 1); },
                ThrowsMessage<UsageError>(HasSubstr("linear attention")));
    // select() with the second sequence twice: both continue as it does.
    state.select(*backend_, std::vector<int32_t>{1, 1});
    Batch next, whole;
    for (int i = 0; i < 2; ++i) next.append(std::vector<int32_t>{6}, {}, 2);
    whole.append(std::vector<int32_t>{4, 5, 6});
    const auto both = values_of(pass(model, state, next).data);
    const auto expected = values_of(model.trunk().forward({.backend = *backend_}, whole).data);
    const std::vector<double> last(expected.end() - config.hidden, expected.end());
    const std::vector<double> first(both.begin(), both.begin() + config.hidden),
        second(both.begin() + config.hidden, both.end());
    EXPECT_LE(relative_difference(first, last), kTolerance);
    EXPECT_LE(relative_difference(second, last), kTolerance);
  }
}

TEST_F(Decoding, OfALlama) {
  ModelConfig config = tiny_llama();
  complete(config, "");
  const Model model = random_model(config);
  const Batch batch = random_batch(config, total_lengths(), 6).batch;
  EXPECT_LE(relative_difference(continued(model, batch), at_once(model, batch)), kTolerance);
}

TEST_F(Decoding, OfAPrefixModel) {
  const ModelConfig config = causal_config("rotary", AttentionMask::bidirectional);
  const Model model = random_model(config);
  Batch batch = random_batch(config, total_lengths(), 6).batch;
  for (size_t s = 0; s < kPasses[0].size(); ++s) {
    for (int32_t t = batch.offsets[s]; t < batch.offsets[s + 1]; ++t) {
      batch.segments[static_cast<size_t>(t)] = t - batch.offsets[s] < kPasses[0][s] ? 0 : 1;
    }
  }
  EXPECT_LE(
      relative_difference(continued(model, batch, AttentionMask::prefix), at_once(model, batch, AttentionMask::prefix)),
      kTolerance);
  DecodingState state(1);
  Batch prompt;
  prompt.append(std::vector<int32_t>{1, 2, 3});
  pass(model, state, prompt, AttentionMask::prefix);
  EXPECT_THAT([&] { pass(model, state, prompt, AttentionMask::prefix); },
              ThrowsMessage<DataError>(HasSubstr("one pass")));
  EXPECT_THAT([&] { pass(model, state, prompt); }, ThrowsMessage<DataError>(HasSubstr("is bidirectional")));
}

TEST_F(Decoding, OfRotatedValuesAndGrowingFrequencies) {
  ModelConfig config = causal_config("rotary");
  std::get<RotaryPosition>(config.position).rotate_values = true;
  const Batch batch = random_batch(config, total_lengths(), 6).batch;
  const Model model = random_model(config);
  EXPECT_LE(relative_difference(continued(model, batch), at_once(model, batch)), kTolerance);
}

// A single layer's keys do not depend on other tokens.
TEST_F(Decoding, DynamicFrequenciesRotateTheCachedKeys) {
  ModelConfig config = causal_config("rotary");
  config.layers = 1;
  std::get<RotaryPosition>(config.position).rotary.scaling = DynamicNtkScaling{.factor = 4, .original_positions = 16};
  complete(config, "");
  const Model model = random_model(config);
  const Batch batch = random_batch(config, {40}, 6).batch;
  DecodingState state(1);
  Tensor last;
  for (int64_t t = 0; t < 40; t += 4) {
    Batch part;
    append_part(part, batch, 0, t, 4);
    last = pass(model, state, part).data.row_range(3, 1);
  }
  const Tensor whole = model.trunk().forward({.backend = *backend_}, batch).data.row_range(39, 1);
  EXPECT_LE(relative_difference(values_of(last), values_of(whole)), kTolerance);
}

TEST_F(Decoding, HasTheSameBitsInAnyBatchAndWithAnyThreads) {
  const ModelConfig config = causal_config("rotary");
  const Batch batch = random_batch(config, {300, 7, 129}, 6).batch;
  std::vector<double> first;
  for (const int threads : {1, 2, 3}) {
    ThreadPool pool(threads);
    const auto backend = make_cpu_backend(pool);
    Model model(*backend, config, false);
    randomize(model, 5);
    model.prepare();
    const auto step = [&](const std::vector<int64_t>& which) {
      DecodingState state(std::ssize(which));
      Batch prompts, tokens;
      for (const int64_t s : which) {
        const int64_t length = batch.offsets[static_cast<size_t>(s) + 1] - batch.offsets[static_cast<size_t>(s)];
        append_part(prompts, batch, s, 0, length - 1);
        append_part(tokens, batch, s, length - 1, 1);
      }
      model.trunk().forward({.backend = *backend}, prompts, {.state = &state});
      return model.trunk().forward({.backend = *backend}, tokens, {.state = &state}).data;
    };
    const Tensor together = step({0, 1, 2});
    if (first.empty()) first = values_of(together);
    EXPECT_EQ(values_of(together), first) << threads;
    for (int64_t s = 0; s < 3; ++s) EXPECT_EQ(values_of(step({s})), values_of(together.row_range(s, 1))) << s;
  }
}

// Sequences are removed, copied and continued independently.
TEST_F(Decoding, SequencesCanBeChosen) {
  const ModelConfig config = causal_config("rotary");
  const Model model = random_model(config);
  const Batch batch = random_batch(config, {9, 4, 12}, 6).batch;
  DecodingState state(3);
  pass(model, state, batch);
  state.select(*backend_, std::vector<int32_t>{2, 0, 2});
  EXPECT_EQ(state.sequences(), 3);
  EXPECT_EQ(state.tokens(0), 12);
  Batch next;
  for (const int32_t id : {3, 4, 5}) next.append(std::vector<int32_t>{id}, {}, state.next_position(next.sequences()));
  const Tensor rows = pass(model, state, next).data;
  Batch whole;
  const int order[] = {2, 0, 2};
  for (int i = 0; i < 3; ++i) {
    const LabeledBatch one = sequence_of({batch, {}, {}}, order[i]);
    std::vector<int32_t> ids = one.batch.ids, segments = one.batch.segments;
    ids.push_back(3 + i);
    segments.push_back(0);
    whole.append(ids, segments);
  }
  const Tensor all = model.trunk().forward({.backend = *backend_}, whole).data;
  for (int i = 0; i < 3; ++i) {
    EXPECT_LE(relative_difference(values_of(rows.row_range(i, 1)),
                                  values_of(all.row_range(whole.offsets[static_cast<size_t>(i) + 1] - 1, 1))),
              kTolerance);
  }
}

// In the first layer, keys are functions of token and position alone.
TEST_F(Decoding, ForgettingRotatesKeysToTheirNewPositions) {
  for (const char* name : {"rotary", "rotary-partial", "rotary-learned", "p-rope", "xpos", "alibi", "none"}) {
    ModelConfig config = causal_config(name);
    config.layers = 1;
    const Model model = random_model(config);
    const Batch batch = random_batch(config, {40}, 6).batch;
    DecodingState state(1);
    Batch prompt, shorter, token;
    append_part(prompt, batch, 0, 0, 39);
    pass(model, state, prompt);
    model.trunk().forget(*backend_, state, 0, 1, 17);
    EXPECT_EQ(state.tokens(0), 22);
    EXPECT_EQ(state.next_position(0), 22);
    const auto last = [&] {
      Batch next;
      next.append(std::vector<int32_t>{7}, {}, state.next_position(0));
      return values_of(pass(model, state, next).data);
    }();
    std::vector<int32_t> ids, segments;
    for (int i = 0; i < 39; ++i) {
      if (i >= 1 && i < 18) continue;
      ids.push_back(batch.ids[static_cast<size_t>(i)]);
      segments.push_back(batch.segments[static_cast<size_t>(i)]);
    }
    ids.push_back(7);
    segments.push_back(0);
    shorter.append(ids, segments);
    const Tensor all = model.trunk().forward({.backend = *backend_}, shorter).data;
    EXPECT_LE(relative_difference(last, values_of(all.row_range(22, 1))), 1e-5) << name;
  }
  const Model learned = random_model(causal_config("learned"));
  DecodingState state(1);
  Batch prompt;
  prompt.append(std::vector<int32_t>{1, 2, 3});
  pass(learned, state, prompt);
  EXPECT_THAT([&] { learned.trunk().forget(*backend_, state, 0, 0, 1); },
              ThrowsMessage<UsageError>(HasSubstr("learned encoding")));
}

TEST_F(Decoding, RefusesWhatDoesNotFit) {
  const Model model = random_model(causal_config("rotary"));
  DecodingState small(1, 4);
  Batch prompt;
  prompt.append(std::vector<int32_t>{1, 2, 3, 4, 5});
  EXPECT_THAT([&] { pass(model, small, prompt); }, ThrowsMessage<DataError>(HasSubstr("at most 4")));
  DecodingState two(2);
  EXPECT_THAT([&] { pass(model, two, prompt); }, ThrowsMessage<ShapeError>(HasSubstr("continues a state of 2")));
  EXPECT_EQ(small.tokens(0), 0);
}

TEST_F(Decoding, UsesTheReportedMemory) {
  for (const char* name : {"rotary", "tupe"}) {
    const ModelConfig config = causal_config(name);
    const Model model = random_model(config);
    DecodingState state(1, 64);
    pass(model, state, random_batch(config, {3}, 6).batch);
    EXPECT_EQ(state.bytes(), 64 * decoding_bytes(config)) << name;
  }
}

}  // namespace
}  // namespace roformer::test
