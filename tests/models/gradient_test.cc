// The gradients of whole models, in training (with dropout), against central differences.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "models/families/family.h"
#include "models/model.h"
#include "tests/models/decoder_files.h"
#include "tests/models/model_trial.h"
#include "tests/ops/gradient_check.h"

namespace roformer::test {
namespace {

struct Variant {
  std::string name;
  ModelConfig config;
};

ModelConfig with(ModelConfig config, void (*change)(ModelConfig&)) {
  change(config);
  complete(config, "");
  return config;
}

void PrintTo(const Variant& variant, std::ostream* out) { *out << variant.name; }

class ModelGradientTest : public ::testing::TestWithParam<Variant> {};

TEST_P(ModelGradientTest, MatchesCentralDifferences) {
  ThreadPool pool(1);
  const auto backend = make_reference_backend(pool, DType::float64);
  ModelConfig config = GetParam().config;
  config.hidden_dropout = 0.2;
  config.attention_dropout = 0.3;
  const Model model(*backend, config, true);
  randomize(model, 11);
  const LabeledBatch data = random_batch(config, {5, 1, 7}, 12);
  ASSERT_GE(data.rows.size(), 3u);
  const RandomStream random{21, 3};
  const double loss = train_pass(model, data, &random);
  const auto objective = [&] {
    const Context context{.backend = *backend, .tape = nullptr, .random = random, .training = true};
    return masked_lm_loss(model, context, data, 0).sum / static_cast<double>(data.rows.size());
  };
  EXPECT_DOUBLE_EQ(objective(), loss);

  Generator generator({31, 0});
  for (const NamedParameter& named : model.parameters()) {
    const Tensor &value = named.parameter.value, &gradient = named.parameter.gradient;
    double largest = 0;
    int64_t row = 0, column = 0;  // the element of the largest gradient, then random ones
    for (int64_t i = 0; i < gradient.rows(); ++i) {
      for (int64_t j = 0; j < gradient.columns(); ++j) {
        if (std::abs(read(gradient, i, j)) <= largest) continue;
        largest = std::abs(read(gradient, i, j));
        row = i;
        column = j;
      }
    }
    const bool meets_rows = std::holds_alternative<DebertaPosition>(config.position);
    if (named.name.ends_with("key.bias") && !std::holds_alternative<RotaryPosition>(config.position) && !meets_rows) {
      EXPECT_LE(largest, 1e-12) << named.name << " adds the same to all scores of a query: without effect";
      continue;
    }
    EXPECT_GT(largest, 1e-6) << named.name << " has no influence: the test shows nothing";
    for (int draw = 0; draw < 4; ++draw) {
      EXPECT_NEAR(read(gradient, row, column), central_difference(objective, value, row, column), 1e-5 * largest + 1e-9)
          << named.name << " [" << row << ", " << column << "]";
      row = static_cast<int64_t>(generator.below(static_cast<uint64_t>(gradient.rows())));
      column = static_cast<int64_t>(generator.below(static_cast<uint64_t>(gradient.columns())));
    }
  }
}

// Bit for bit, on the backend that trains.
TEST_P(ModelGradientTest, IsTheSameWithCheckpointing) {
  ThreadPool pool(2);
  const auto backend = make_cpu_backend(pool);
  ModelConfig config = GetParam().config;
  config.hidden_dropout = 0.2;
  config.attention_dropout = 0.3;
  const Model model(*backend, config, true);
  randomize(model, 11);
  const LabeledBatch data = random_batch(config, {5, 1, 7}, 12);
  const RandomStream random{21, 3};
  const double loss = train_pass(model, data, &random);
  const auto plain = gradients(model);
  clear_gradients(model);
  EXPECT_EQ(train_pass(model, data, &random, true), loss);
  const auto checkpointed = gradients(model);
  ASSERT_EQ(checkpointed.size(), plain.size());
  for (size_t i = 0; i < plain.size(); ++i) {
    EXPECT_TRUE(plain[i].values == checkpointed[i].values) << plain[i].name;
  }
}

// Whatever else is frozen, what is trained gets the same bits.
TEST_P(ModelGradientTest, IsTheSameForWhatIsTrained) {
  ThreadPool pool(1);
  const auto backend = make_cpu_backend(pool);
  const ModelConfig config = GetParam().config;
  const auto build = [&] {
    Model model(*backend, config, true);
    randomize(model, 11);
    return model;
  };
  const LabeledBatch data = random_batch(config, {5, 1, 7}, 12);
  const Model whole = build();
  const double loss = train_pass(whole, data);
  const std::function<bool(const std::string&)> kinds[] = {
      [](const std::string& name) { return !name.starts_with("embeddings.") && !name.starts_with("positions."); },
      [](const std::string& name) { return name.starts_with("layers.1") || !is_of_trunk(name); },
      [](const std::string& name) { return !is_of_trunk(name); },
      [](const std::string& name) { return name.ends_with("attention.value.weight"); },
      [](const std::string& name) { return name.starts_with("embeddings."); },
      [](const std::string& name) { return name.starts_with("positions.") || name.find("norm") != std::string::npos; }};
  for (const auto& wanted : kinds) {
    Model model = build();
    model.keep_gradients(wanted);
    EXPECT_EQ(train_pass(model, data), loss);
    for (size_t i = 0; i < model.table().size(); ++i) {
      const std::string& name = model.table()[i].spec.name;
      const Tensor& gradient = model.parameters()[i].parameter.gradient;
      ASSERT_EQ(gradient.defined(), wanted(name)) << name;
      if (!gradient.defined()) continue;
      EXPECT_TRUE(values_of(gradient) == values_of(whole.parameters()[i].parameter.gradient)) << name;
    }
  }
}

// An encoder's hidden states get their gradient from every layer.
TEST(Checkpointing, GivesTheSameGradientsThroughCrossAttention) {
  ThreadPool pool(2);
  const auto backend = make_cpu_backend(pool);
  const ModelConfig config = with(tiny_config(), [](ModelConfig& changed) {
    changed.cross_attention = true;
    changed.attention_mask = AttentionMask::causal;
    changed.head = Head::causal_lm;
    changed.hidden_dropout = 0.2;
  });
  const Model model(*backend, config, true);
  randomize(model, 11);
  const LabeledBatch data = random_batch(config, {5, 7}, 12);
  const Tensor memory = backend->empty({6, config.hidden});
  for (int64_t i = 0; i < memory.elements(); ++i) memory.data<float>()[i] = std::sin(static_cast<float>(i));
  const auto pass = [&](bool checkpointing) {
    clear_gradients(model);
    Tape tape;
    const Context context{
        .backend = *backend, .tape = &tape, .random = {21, 3}, .training = true, .checkpointing = checkpointing};
    const Value source = Value::tracking(memory);
    const StackInputs inputs{
        .rotate_cross_queries = true, .memory = source, .memory_offsets = std::vector<int32_t>{0, 2, 6}};
    const Value hidden = gather_rows(context, model.trunk().forward(context, data.batch, inputs), data.rows);
    model.mlm_head().loss(context, hidden, model.trunk().word_embeddings(), {data.labels, 1});
    tape.backward();
    auto all = gradients(model);
    all.push_back({"memory", values_of(*source.gradient)});
    return all;
  };
  const auto plain = pass(false), checkpointed = pass(true);
  for (size_t i = 0; i < plain.size(); ++i) {
    EXPECT_TRUE(plain[i].values == checkpointed[i].values) << plain[i].name;
  }
  EXPECT_GT(relative_difference(plain.back().values, std::vector<double>(plain.back().values.size(), 1)), 0);
}

// Every encoding.
std::vector<Variant> encodings() {
  std::vector<Variant> variants;
  for (const std::string_view name : position_names()) {
    variants.push_back({std::string(name), tiny_config(std::string(name))});
    std::ranges::replace(variants.back().name, '-', '_');
  }
  return variants;
}

// Every family of causal language models.
std::vector<Variant> decoders() {
  std::vector<Variant> variants;
  for (const DecoderJson& file : kDecoderFiles) variants.push_back({std::string("file_") + file.name, file.read()});
  return variants;
}

INSTANTIATE_TEST_SUITE_P(Decoders, ModelGradientTest, ::testing::ValuesIn(decoders()),
                         [](const auto& param) { return param.param.name; });

INSTANTIATE_TEST_SUITE_P(Encodings, ModelGradientTest, ::testing::ValuesIn(encodings()),
                         [](const auto& param) { return param.param.name; });

INSTANTIATE_TEST_SUITE_P(
    , ModelGradientTest,
    ::testing::Values(
        Variant{"rotary_value",
                with(tiny_config(),
                     [](ModelConfig& config) { std::get<RotaryPosition>(config.position).rotate_values = true; })},
        Variant{"tanh_unprojected", with(tiny_config(),
                                         [](ModelConfig& config) {
                                           config.activation = Activation::tanh;
                                           config.embedding = config.hidden;
                                         })},
        Variant{"roformer_v2", with(tiny_config(),
                                    [](ModelConfig& config) {
                                      config.norm = NormKind::rms;
                                      config.biased = false;
                                      config.embedding = config.hidden;
                                      config.activation = Activation::silu;
                                    })},
        Variant{"scaled_rms_untied_causal", with(tiny_config(),
                                                 [](ModelConfig& config) {
                                                   config.norm = NormKind::rms_with_gain;
                                                   config.embedding = config.hidden;
                                                   config.head = Head::causal_lm;
                                                   config.attention_mask = AttentionMask::causal;
                                                   config.tied = false;
                                                   config.activation = Activation::gelu_tanh;
                                                 })},
        Variant{"bert", with(tiny_config("learned"),
                             [](ModelConfig& config) {
                               config.family = &families::bert;
                               config.embedding = config.hidden;
                             })},
        Variant{"hierarchical_beyond_the_table",
                with(tiny_config("learned-hierarchical"), [](ModelConfig& config) { config.max_positions = 3; })},
        Variant{"t5_causal", with(tiny_config("t5"),
                                  [](ModelConfig& config) {
                                    config.head = Head::causal_lm;
                                    config.attention_mask = AttentionMask::causal;
                                  })},
        Variant{"shaw_clipped", with(tiny_config("shaw"),
                                     [](ModelConfig& config) { std::get<ShawPosition>(config.position).clip = 2; })},
        Variant{"linear_elu",
                with(tiny_config(), [](ModelConfig& config) { config.attention = {AttentionKind::linear_elu}; })},
        Variant{"linear_relu_before", with(tiny_config(),
                                           [](ModelConfig& config) {
                                             config.attention = {AttentionKind::linear_relu};
                                             config.linear.rotation = FeatureRotation::before;
                                           })},
        Variant{"linear_favor_causal", with(tiny_config(),
                                            [](ModelConfig& config) {
                                              config.attention = {AttentionKind::linear_favor};
                                              config.head = Head::causal_lm;
                                              config.attention_mask = AttentionMask::causal;
                                            })},
        Variant{"softmax_and_linear_xpos",
                with(tiny_config("xpos"),
                     [](ModelConfig& config) {
                       config.attention = {AttentionKind::softmax, AttentionKind::linear_favor};
                     })},
        Variant{"llama", tiny_llama()},
        Variant{"llama_biased_tied_gelu", with(tiny_llama(),
                                               [](ModelConfig& config) {
                                                 config.kv_heads = 1;
                                                 config.biased = config.tied = true;
                                                 config.activation = Activation::gelu;
                                               })},
        Variant{"llama_of_query_biases", with(tiny_llama(),
                                              [](ModelConfig& config) {
                                                config.biased = true;
                                                config.attention_output_biased = config.feed_forward_biased = false;
                                                config.kv_heads = 0;
                                              })},
        Variant{"parallel_residuals", with(tiny_llama(),
                                           [](ModelConfig& config) {
                                             config.family = &families::gpt_neox;
                                             config.parallel_residual = ParallelResidual::two_norms;
                                             config.norm = NormKind::layer;
                                             config.kv_heads = 0;
                                             config.gated = false;
                                             config.biased = true;
                                             config.activation = Activation::gelu;
                                           })},
        Variant{"no_layer", with(tiny_config(), [](ModelConfig& config) { config.layers = 0; })}),
    [](const auto& param) { return param.param.name; });

}  // namespace
}  // namespace roformer::test
