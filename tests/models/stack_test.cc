// Stack options of other families: gradients, packing, decoding, backends, and the effect of each.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "models/families/family.h"
#include "models/model.h"
#include "tests/models/model_trial.h"
#include "tests/ops/gradient_check.h"

namespace roformer::test {
namespace {

constexpr TensorRule kAnyTensor[] = {{"*", "*"}};

// A family whose files can express everything.
const Family& any_family() {
  static const Family family = [] {
    Family any = families::roformer;
    any.tensors = kAnyTensor;
    any.complete = [](ModelConfig&, const std::string&) {};
    return any;
  }();
  return family;
}

struct Case {
  std::string name;
  void (*change)(ModelConfig&);
};
void PrintTo(const Case& one, std::ostream* out) { *out << one.name; }

// Two layers of two heads, causal unless changed.
ModelConfig config_of(const Case& one) {
  ModelConfig config = tiny_config();
  config.family = &any_family();
  config.head = Head::causal_lm;
  config.attention_mask = AttentionMask::causal;
  config.position = RotaryPosition{.rotary = {.layout = RotaryLayout::half}};
  one.change(config);
  complete(config, "");
  return config;
}

void like_gemma(ModelConfig& config) {
  config.norms = {.sublayer = {.input = true, .output = true}, .last = true};
  config.norm = NormKind::rms_one_plus_gain;
  config.query_key_norm = NormConfig{NormKind::rms_one_plus_gain, 1e-6};
  config.head_size = 6;
  config.kv_heads = 1;
  config.gated = true;
  config.attention_scale = 0.3;
  config.score_cap = 1.5;
  config.logit_cap = 1.2;
  config.embedding_scale = 2.5;
  config.windows = {causal_window(3), KeyWindow()};
  config.layer_rotary = {{.layout = RotaryLayout::half, .base = 100}, {.layout = RotaryLayout::half, .base = 1e4}};
}

const std::vector<Case> kCases = {
    {"head_size", [](ModelConfig& c) { c.head_size = 6; }},
    {"grouped_head_size",
     [](ModelConfig& c) {
       c.heads = 4;
       c.kv_heads = 2;
       c.head_size = 4;
     }},
    {"window", [](ModelConfig& c) { c.windows = {causal_window(3)}; }},
    {"windows_of_layers",
     [](ModelConfig& c) {
       c.windows = {causal_window(2), KeyWindow()};
     }},
    {"rotation_of_layers",
     [](ModelConfig& c) {
       c.layer_rotary = {{.base = 50}, {.dim = 2, .base = 1e4}};
     }},
    {"parallel",
     [](ModelConfig& c) {
       c.norms = kPreNorms;
       c.parallel_residual = ParallelResidual::two_norms;
     }},
    {"parallel_with_one_norm",
     [](ModelConfig& c) {
       c.norms = kPreNorms;
       c.parallel_residual = ParallelResidual::one_norm;
     }},
    {"norms_before_and_behind",
     [](ModelConfig& c) { c.norms = {.embedding = true, .sublayer = {.input = true, .output = true}}; }},
    {"norms_behind", [](ModelConfig& c) { c.norms = {.sublayer = {.output = true}, .last = true}; }},
    {"norms_before_and_of_sums", [](ModelConfig& c) { c.norms.sublayer = {.input = true, .sum = true}; }},
    {"no_norm_in_the_first_attention",
     [](ModelConfig& c) {
       c.norms = {.embedding = true, .sublayer = {.input = true}, .last = true};
       c.attention_norms = {SublayerNorms(), {.input = true}};
       c.norm = NormKind::layer_without_bias;
     }},
    {"norms_of_q_and_k",
     [](ModelConfig& c) {
       c.query_key_norm = NormConfig{NormKind::rms_with_gain, 1e-5};
     }},
    {"layer_norms_of_q_and_k",
     [](ModelConfig& c) {
       c.query_key_norm = NormConfig{NormKind::layer, 1e-5};
     }},
    {"caps_and_scales",
     [](ModelConfig& c) {
       c.score_cap = 0.8;
       c.attention_scale = 1.3;
       c.embedding_scale = 1.7;
     }},
    {"like_gemma", like_gemma},
};

class StackTest : public ::testing::TestWithParam<Case> {
 protected:
  ThreadPool pool_{2};
  std::unique_ptr<Backend> exact_ = make_reference_backend(pool_, DType::float64), cpu_ = make_cpu_backend(pool_);
};

TEST_P(StackTest, GradientsAreCentralDifferences) {
  ModelConfig config = config_of(GetParam());
  config.hidden_dropout = 0.2;
  config.attention_dropout = 0.3;
  const Model model(*exact_, config, true);
  randomize(model, 11);
  const LabeledBatch data = random_batch(config, {5, 1, 7}, 12);
  const RandomStream random{21, 3};
  train_pass(model, data, &random);
  const auto objective = [&] {
    const Context context{.backend = *exact_, .random = random, .training = true};
    return masked_lm_loss(model, context, data, 0).sum / static_cast<double>(data.rows.size());
  };
  for (const NamedParameter& named : model.parameters()) {
    const std::vector<double> gradient = values_of(named.parameter.gradient);
    double largest = 0;
    for (const double x : gradient) largest = std::max(largest, std::abs(x));
    EXPECT_GT(largest, 1e-7) << named.name << " has no influence: the test shows nothing";
    const int64_t columns = named.parameter.value.columns();
    for (const size_t i : {size_t{0}, gradient.size() / 2, gradient.size() - 1}) {
      const auto at = static_cast<int64_t>(i);
      EXPECT_NEAR(gradient[i], central_difference(objective, named.parameter.value, at / columns, at % columns),
                  1e-5 * largest + 1e-9)
          << named.name << ", element " << i;
    }
  }
}

TEST_P(StackTest, PackedIsOneByOneOnEveryBackend) {
  const ModelConfig config = config_of(GetParam());
  const LabeledBatch data = random_batch(config, {5, 0, 1, 9}, 12);
  std::vector<double> expected;
  for (const bool trainable : {true, false}) {
    for (Backend* backend : {exact_.get(), cpu_.get()}) {
      Model model(*backend, config, trainable);
      randomize(model, 11);
      if (!trainable) model.prepare();
      const std::vector<double> packed = values_of(hidden_states(model, data.batch));
      if (expected.empty()) expected = packed;
      EXPECT_LE(relative_difference(packed, expected), 2e-5) << backend->name();
      std::vector<double> alone;
      for (int64_t s = 0; s < 4; ++s) {
        const std::vector<double> rows = values_of(hidden_states(model, sequence_of(data, s).batch));
        alone.insert(alone.end(), rows.begin(), rows.end());
      }
      EXPECT_LE(relative_difference(alone, packed), 2e-5) << backend->name();
    }
  }
}

// Token by token, and with a context shift.
TEST_P(StackTest, ContinuedIsAtOnce) {
  const ModelConfig config = config_of(GetParam());
  const Batch batch = random_batch(config, {12}, 13).batch;
  for (Backend* backend : {exact_.get(), cpu_.get()}) {
    Model model(*backend, config, false);
    randomize(model, 11);
    model.prepare();
    const Context context{.backend = *backend};
    const std::vector<double> expected = values_of(hidden_states(model, batch));
    DecodingState state(1);
    std::vector<double> actual;
    for (const auto& [begin, count] : {std::pair{0, 4}, {4, 1}, {5, 3}, {8, 1}, {9, 3}}) {
      Batch part;
      part.append(std::span(batch.ids).subspan(static_cast<size_t>(begin), static_cast<size_t>(count)),
                  std::span(batch.segments).subspan(static_cast<size_t>(begin), static_cast<size_t>(count)), begin);
      const auto rows = values_of(model.trunk().forward(context, part, {.state = &state}).data);
      actual.insert(actual.end(), rows.begin(), rows.end());
    }
    EXPECT_LE(relative_difference(actual, expected), 3e-5) << backend->name();
  }
}

INSTANTIATE_TEST_SUITE_P(, StackTest, ::testing::ValuesIn(kCases),
                         [](const auto& test) { return std::string(test.param.name); });

class StackValuesTest : public ::testing::Test {
 protected:
  std::vector<double> hidden(const ModelConfig& config, const Batch& batch) {
    const Model model(*backend_, config, false);
    randomize(model, 11);
    return values_of(hidden_states(model, batch));
  }
  static ModelConfig config(void (*change)(ModelConfig&)) { return config_of({"", change}); }
  // Rows that differ if token `token` of one sequence is another.
  std::vector<int64_t> reached(const ModelConfig& config, int64_t token) {
    Batch batch = random_batch(config, {9}, 12).batch;
    const std::vector<double> before = hidden(config, batch);
    int32_t& id = batch.ids[static_cast<size_t>(token)];
    id = (id + 1) % static_cast<int32_t>(config.vocabulary);
    const std::vector<double> after = hidden(config, batch);
    std::vector<int64_t> rows;
    for (int64_t i = 0; i < 9; ++i) {
      const auto begin = i * config.hidden, end = begin + config.hidden;
      if (!std::equal(before.begin() + begin, before.begin() + end, after.begin() + begin)) rows.push_back(i);
    }
    return rows;
  }

  ThreadPool pool_{1};
  std::unique_ptr<Backend> backend_ = make_reference_backend(pool_, DType::float64);
};

TEST_F(StackValuesTest, WindowsReachAsFarAsTheySay) {
  const auto one_layer = [](ModelConfig& c) { c.layers = 1; };
  ModelConfig causal = config(one_layer), both = config(one_layer);
  causal.windows = {causal_window(3)};
  both.attention_mask = AttentionMask::bidirectional;
  both.windows = {symmetric_window(4)};
  EXPECT_THAT(reached(causal, 2), ::testing::ElementsAre(2, 3, 4));
  EXPECT_THAT(reached(both, 4), ::testing::ElementsAre(2, 3, 4, 5, 6));
  ModelConfig two = config([](ModelConfig&) {});
  two.windows = {causal_window(2), causal_window(3)};
  EXPECT_THAT(reached(two, 1), ::testing::ElementsAre(1, 2, 3, 4));
}

TEST_F(StackValuesTest, EachLayerHasItsOwnRotation) {
  const Rotary fast{.dim = 4, .layout = RotaryLayout::half, .base = 10}, slow{.dim = 4, .layout = RotaryLayout::half};
  const auto with = [&](const std::vector<Rotary>& layers) {
    ModelConfig c = config([](ModelConfig&) {});
    c.layer_rotary = layers;
    return hidden(c, random_batch(c, {9}, 12).batch);
  };
  const std::vector<double> fast_slow = with({fast, slow});
  EXPECT_EQ(with({slow, slow}), with({}));
  EXPECT_NE(fast_slow, with({slow, fast}));
  EXPECT_NE(fast_slow, with({slow, slow}));
  EXPECT_NE(fast_slow, with({fast, fast}));
}

// Cached keys of layers with different rotations are shifted by each layer's rotation.
TEST_F(StackValuesTest, ContextShiftRotatesTheKeysOfEachLayer) {
  ModelConfig c = config(like_gemma);
  c.windows.clear();
  c.layers = 1;
  for (const double base : {100.0, 1e4}) {
    c.layer_rotary = {{.dim = 6, .layout = RotaryLayout::half, .base = base}};
    const Model model(*backend_, c, false);
    randomize(model, 11);
    const Context context{.backend = *backend_};
    const Batch whole = random_batch(c, {8}, 12).batch;
    const auto run = [&](DecodingState& state, size_t begin, size_t end, int32_t first) {
      Batch part;
      part.append(std::span(whole.ids).subspan(begin, end - begin),
                  std::span(whole.segments).subspan(begin, end - begin), first);
      return values_of(model.trunk().forward(context, part, {.state = &state}).data);
    };
    DecodingState forgetful(1), fresh(1);
    run(forgetful, 0, 6, 0);
    model.trunk().forget(*backend_, forgetful, 0, 0, 2);
    run(fresh, 2, 6, 0);  // of one layer, keys hold nothing of other tokens
    EXPECT_LE(relative_difference(run(forgetful, 6, 8, 4), run(fresh, 6, 8, 4)), 1e-9);
  }
}

TEST_F(StackValuesTest, ScalesAndCapsAreWhatTheyAreCalled) {
  ModelConfig plain = config([](ModelConfig&) {});
  const Batch batch = random_batch(plain, {9}, 12).batch;
  ModelConfig usual = plain, capped = plain;
  usual.attention_scale = 1 / std::sqrt(4.0);  // heads of 4
  capped.score_cap = 1e5;
  EXPECT_EQ(hidden(usual, batch), hidden(plain, batch));
  EXPECT_LE(relative_difference(hidden(capped, batch), hidden(plain, batch)), 1e-6);
  capped.score_cap = 0.5;
  EXPECT_GT(relative_difference(hidden(capped, batch), hidden(plain, batch)), 1e-3);

  ModelConfig scaled = plain;
  scaled.embedding_scale = 3;
  const Model one(*backend_, scaled, false), other(*backend_, plain, false);
  randomize(one, 11);
  randomize(other, 11);
  const Tensor& words = other.parameters().front().parameter.value;
  for (int64_t i = 0; i < words.rows(); ++i) {
    for (int64_t j = 0; j < words.columns(); ++j) write(words, i, j, 3 * read(words, i, j));
  }
  EXPECT_LE(relative_difference(values_of(hidden_states(one, batch)), values_of(hidden_states(other, batch))), 1e-12);
}

TEST_F(StackValuesTest, LogitsAreCapped) {
  ModelConfig plain = config([](ModelConfig&) {});
  ModelConfig capped = plain;
  capped.logit_cap = 0.7;
  const Batch batch = random_batch(plain, {9}, 12).batch;
  const auto logits = [&](const ModelConfig& c) {
    const Model model(*backend_, c, false);
    randomize(model, 11);
    const Context context{.backend = *backend_};
    return values_of(model.logits(context, model.trunk().forward(context, batch), batch).data);
  };
  std::vector<double> expected = logits(plain);
  for (double& x : expected) x = 0.7 * std::tanh(x / 0.7);
  EXPECT_LE(relative_difference(logits(capped), expected), 1e-12);
}

}  // namespace
}  // namespace roformer::test
