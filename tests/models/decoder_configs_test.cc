// config.json of Mistral, Qwen, Gemma, GPT-J and GPT-Neo: published files, old and new keys, and what is refused.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/error.h"
#include "models/families/family.h"
#include "tests/models/decoder_files.h"
#include "tests/models/decoder_trial.h"

namespace roformer::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::ThrowsMessage;

ModelConfig read_text(const std::string& text, std::vector<std::string>* unknown = nullptr) {
  return read_config(JsonObject(parse_json(text, "some/config.json"), "some/config.json"), unknown);
}

struct Published {
  const char* name;
  int64_t parameters;
  const char* config;
};
void PrintTo(const Published& one, std::ostream* out) { *out << one.name; }

// As published on the Hub, and the parameters that its pages name.
const std::vector<Published> kPublished = {
    {"SmolLM2_135M", 134'515'008, R"({"architectures": ["LlamaForCausalLM"], "attention_bias": false,
      "attention_dropout": 0.0, "bos_token_id": 0, "eos_token_id": 0, "hidden_act": "silu", "hidden_size": 576,
      "initializer_range": 0.041666666666666664, "intermediate_size": 1536, "is_llama_config": true,
      "max_position_embeddings": 8192, "model_type": "llama", "num_attention_heads": 9, "num_hidden_layers": 30,
      "num_key_value_heads": 3, "pretraining_tp": 1, "rms_norm_eps": 1e-05, "rope_interleaved": false,
      "rope_scaling": null, "rope_theta": 100000, "tie_word_embeddings": true, "torch_dtype": "bfloat16",
      "transformers_version": "4.40.1", "use_cache": true, "vocab_size": 49152})"},
    {"Llama_3_2_1B", 1'235'814'400, R"({"architectures": ["LlamaForCausalLM"], "attention_bias": false,
      "attention_dropout": 0.0, "bos_token_id": 128000, "eos_token_id": [128001, 128008, 128009], "head_dim": 64,
      "hidden_act": "silu", "hidden_size": 2048, "initializer_range": 0.02, "intermediate_size": 8192,
      "max_position_embeddings": 131072, "mlp_bias": false, "model_type": "llama", "num_attention_heads": 32,
      "num_hidden_layers": 16, "num_key_value_heads": 8, "pretraining_tp": 1, "rms_norm_eps": 1e-05,
      "rope_scaling": {"factor": 32.0, "high_freq_factor": 4.0, "low_freq_factor": 1.0,
      "original_max_position_embeddings": 8192, "rope_type": "llama3"}, "rope_theta": 500000.0,
      "tie_word_embeddings": true, "torch_dtype": "bfloat16", "transformers_version": "4.45.0.dev0",
      "use_cache": true, "vocab_size": 128256})"},
    {"Mistral_7B_v0_1", 7'241'732'096, R"({"architectures": ["MistralForCausalLM"], "bos_token_id": 1,
      "eos_token_id": 2, "hidden_act": "silu", "hidden_size": 4096, "initializer_range": 0.02,
      "intermediate_size": 14336, "max_position_embeddings": 32768, "model_type": "mistral", "num_attention_heads": 32,
      "num_hidden_layers": 32, "num_key_value_heads": 8, "rms_norm_eps": 1e-05, "rope_theta": 10000.0,
      "sliding_window": 4096, "tie_word_embeddings": false, "torch_dtype": "bfloat16",
      "transformers_version": "4.34.0.dev0", "use_cache": true, "vocab_size": 32000})"},
    {"Mistral_7B_v0_3", 7'248'023'552, R"({"architectures": ["MistralForCausalLM"], "attention_dropout": 0.0,
      "bos_token_id": 1, "eos_token_id": 2, "hidden_act": "silu", "hidden_size": 4096, "initializer_range": 0.02,
      "intermediate_size": 14336, "max_position_embeddings": 32768, "model_type": "mistral", "num_attention_heads": 32,
      "num_hidden_layers": 32, "num_key_value_heads": 8, "rms_norm_eps": 1e-05, "rope_theta": 1000000.0,
      "sliding_window": null, "tie_word_embeddings": false, "torch_dtype": "bfloat16",
      "transformers_version": "4.42.0.dev0", "use_cache": true, "vocab_size": 32768})"},
    {"Qwen2_5_0_5B", 494'032'768, R"({"architectures": ["Qwen2ForCausalLM"], "attention_dropout": 0.0,
      "bos_token_id": 151643, "eos_token_id": 151643, "hidden_act": "silu", "hidden_size": 896,
      "initializer_range": 0.02, "intermediate_size": 4864, "max_position_embeddings": 32768, "max_window_layers": 24,
      "model_type": "qwen2", "num_attention_heads": 14, "num_hidden_layers": 24, "num_key_value_heads": 2,
      "rms_norm_eps": 1e-06, "rope_theta": 1000000.0, "sliding_window": 32768, "tie_word_embeddings": true,
      "torch_dtype": "bfloat16", "transformers_version": "4.40.1", "use_cache": true, "use_mrope": false,
      "use_sliding_window": false, "vocab_size": 151936})"},
    {"Qwen3_0_6B", 596'049'920, R"({"architectures": ["Qwen3ForCausalLM"], "attention_bias": false,
      "attention_dropout": 0.0, "bos_token_id": 151643, "eos_token_id": 151645, "head_dim": 128, "hidden_act": "silu",
      "hidden_size": 1024, "initializer_range": 0.02, "intermediate_size": 3072, "max_position_embeddings": 40960,
      "max_window_layers": 28, "model_type": "qwen3", "num_attention_heads": 16, "num_hidden_layers": 28,
      "num_key_value_heads": 8, "rms_norm_eps": 1e-06, "rope_scaling": null, "rope_theta": 1000000,
      "sliding_window": null, "tie_word_embeddings": true, "torch_dtype": "bfloat16", "transformers_version": "4.51.0",
      "use_cache": true, "use_sliding_window": false, "vocab_size": 151936})"},
    {"gemma_2b", 2'506'172'416, R"({"architectures": ["GemmaForCausalLM"], "attention_bias": false,
      "attention_dropout": 0.0, "bos_token_id": 2, "eos_token_id": 1, "head_dim": 256, "hidden_act": "gelu",
      "hidden_activation": null, "hidden_size": 2048, "initializer_range": 0.02, "intermediate_size": 16384,
      "max_position_embeddings": 8192, "model_type": "gemma", "num_attention_heads": 8, "num_hidden_layers": 18,
      "num_key_value_heads": 1, "pad_token_id": 0, "rms_norm_eps": 1e-06, "rope_scaling": null, "rope_theta": 10000.0,
      "torch_dtype": "bfloat16", "transformers_version": "4.38.1", "use_cache": true, "vocab_size": 256000})"},
    {"gemma_2_2b", 2'614'341'888, R"({"architectures": ["Gemma2ForCausalLM"], "attention_bias": false,
      "attention_dropout": 0.0, "attn_logit_softcapping": 50.0, "bos_token_id": 2, "cache_implementation": "hybrid",
      "eos_token_id": 1, "final_logit_softcapping": 30.0, "head_dim": 256, "hidden_act": "gelu_pytorch_tanh",
      "hidden_activation": "gelu_pytorch_tanh", "hidden_size": 2304, "initializer_range": 0.02,
      "intermediate_size": 9216, "max_position_embeddings": 8192, "model_type": "gemma2", "num_attention_heads": 8,
      "num_hidden_layers": 26, "num_key_value_heads": 4, "pad_token_id": 0, "query_pre_attn_scalar": 256,
      "rms_norm_eps": 1e-06, "rope_theta": 10000.0, "sliding_window": 4096, "torch_dtype": "float32",
      "transformers_version": "4.42.4", "use_cache": true, "vocab_size": 256000})"},
    {"gemma_3_1b", 999'885'952, R"({"architectures": ["Gemma3ForCausalLM"], "attention_bias": false,
      "attention_dropout": 0.0, "attn_logit_softcapping": null, "bos_token_id": 2, "cache_implementation": "hybrid",
      "eos_token_id": [1, 106], "final_logit_softcapping": null, "head_dim": 256,
      "hidden_activation": "gelu_pytorch_tanh", "hidden_size": 1152, "initializer_range": 0.02,
      "intermediate_size": 6912, "max_position_embeddings": 32768, "model_type": "gemma3_text",
      "num_attention_heads": 4, "num_hidden_layers": 26, "num_key_value_heads": 1, "pad_token_id": 0,
      "query_pre_attn_scalar": 256, "rms_norm_eps": 1e-06, "rope_local_base_freq": 10000, "rope_scaling": null,
      "rope_theta": 1000000, "sliding_window": 512, "sliding_window_pattern": 6, "torch_dtype": "bfloat16",
      "transformers_version": "4.50.0.dev0", "use_cache": true, "vocab_size": 262144})"},
    {"gemma_3_270m", 268'098'176, R"({"_sliding_window_pattern": 6, "architectures": ["Gemma3ForCausalLM"],
      "attention_bias": false, "attention_dropout": 0.0, "attn_logit_softcapping": null, "bos_token_id": 2,
      "eos_token_id": 1, "final_logit_softcapping": null, "head_dim": 256, "hidden_activation": "gelu_pytorch_tanh",
      "hidden_size": 640, "initializer_range": 0.02, "intermediate_size": 2048, "layer_types": ["sliding_attention",
      "sliding_attention", "sliding_attention", "sliding_attention", "sliding_attention", "full_attention",
      "sliding_attention", "sliding_attention", "sliding_attention", "sliding_attention", "sliding_attention",
      "full_attention", "sliding_attention", "sliding_attention", "sliding_attention", "sliding_attention",
      "sliding_attention", "full_attention"], "max_position_embeddings": 32768, "model_type": "gemma3_text",
      "num_attention_heads": 4, "num_hidden_layers": 18, "num_key_value_heads": 1, "pad_token_id": 0,
      "query_pre_attn_scalar": 256, "rms_norm_eps": 1e-06, "rope_local_base_freq": 10000.0, "rope_scaling": null,
      "rope_theta": 1000000.0, "sliding_window": 512, "torch_dtype": "bfloat16", "transformers_version": "4.55.0.dev0",
      "use_bidirectional_attention": false, "use_cache": true, "vocab_size": 262144})"},
    {"gpt_j_6b", 6'050'882'784, R"({"activation_function": "gelu_new", "architectures": ["GPTJForCausalLM"],
      "attn_pdrop": 0.0, "bos_token_id": 50256, "embd_pdrop": 0.0, "eos_token_id": 50256,
      "gradient_checkpointing": false, "initializer_range": 0.02, "layer_norm_epsilon": 1e-05, "model_type": "gptj",
      "n_embd": 4096, "n_head": 16, "n_inner": null, "n_layer": 28, "n_positions": 2048, "resid_pdrop": 0.0,
      "rotary": true, "rotary_dim": 64, "scale_attn_weights": true, "summary_activation": null,
      "summary_first_dropout": 0.1, "summary_proj_to_labels": true, "summary_type": "cls_index",
      "summary_use_proj": true, "task_specific_params": {"text-generation": {"do_sample": true, "max_length": 50,
      "temperature": 1.0}}, "tie_word_embeddings": false, "tokenizer_class": "GPT2Tokenizer",
      "transformers_version": "4.18.0.dev0", "use_cache": true, "vocab_size": 50400})"},
    {"pythia_160m", 162'322'944, R"({"architectures": ["GPTNeoXForCausalLM"], "bos_token_id": 0, "eos_token_id": 0,
      "hidden_act": "gelu", "hidden_size": 768, "initializer_range": 0.02, "intermediate_size": 3072,
      "layer_norm_eps": 1e-05, "max_position_embeddings": 2048, "model_type": "gpt_neox", "num_attention_heads": 12,
      "num_hidden_layers": 12, "rotary_emb_base": 10000, "rotary_pct": 0.25, "tie_word_embeddings": false,
      "torch_dtype": "float16", "transformers_version": "4.24.0", "use_cache": true, "use_parallel_residual": true,
      "vocab_size": 50304})"},
    {"gpt_neo_125m", 125'198'592, R"({"activation_function": "gelu_new", "architectures": ["GPTNeoForCausalLM"],
      "attention_dropout": 0, "attention_layers": ["global", "local", "global", "local", "global", "local", "global",
      "local", "global", "local", "global", "local"], "attention_types": [[["global", "local"], 6]],
      "bos_token_id": 50256, "embed_dropout": 0, "eos_token_id": 50256, "gradient_checkpointing": false,
      "hidden_size": 768, "initializer_range": 0.02, "intermediate_size": null, "layer_norm_epsilon": 1e-05,
      "max_position_embeddings": 2048, "model_type": "gpt_neo", "num_heads": 12, "num_layers": 12, "resid_dropout": 0,
      "summary_activation": null, "summary_first_dropout": 0.1, "summary_proj_to_labels": true,
      "summary_type": "cls_index", "summary_use_proj": true, "transformers_version": "4.9.0.dev0", "use_cache": true,
      "vocab_size": 50257, "window_size": 256})"},
};

class PublishedConfig : public ::testing::TestWithParam<Published> {};

TEST_P(PublishedConfig, IsReadWithoutAWarning) {
  std::vector<std::string> unknown;
  const ModelConfig config = read_text(GetParam().config, &unknown);
  EXPECT_THAT(unknown, IsEmpty());
  EXPECT_EQ(config.parameters(), GetParam().parameters);
  const Json written = write_config(config);
  EXPECT_EQ(write_config(read_config(JsonObject(written, "written"), &unknown)), written);
  EXPECT_THAT(unknown, IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(, PublishedConfig, ::testing::ValuesIn(kPublished),
                         [](const auto& param) { return std::string(param.param.name); });

const ModelConfig& published(const std::string& name) {
  static std::map<std::string, ModelConfig> read;
  for (const Published& one : kPublished) {
    if (one.name == name) return read.try_emplace(name, read_text(one.config)).first->second;
  }
  throw std::invalid_argument(name);
}

TEST(DecoderConfigTest, Windows) {
  EXPECT_EQ(published("Mistral_7B_v0_1").window_of(7), causal_window(4096));
  EXPECT_THAT(published("Mistral_7B_v0_3").windows, IsEmpty());
  EXPECT_THAT(published("Qwen2_5_0_5B").windows, IsEmpty());
  const ModelConfig& gemma2 = published("gemma_2_2b");
  EXPECT_EQ(gemma2.window_of(0), causal_window(4096));
  EXPECT_TRUE(gemma2.window_of(1).all());
  for (const char* name : {"gemma_3_1b", "gemma_3_270m"}) {
    for (int64_t i = 0; i < published(name).layers; ++i) {
      EXPECT_EQ(published(name).window_of(i).all(), i % 6 == 5) << name << i;
    }
  }
  EXPECT_EQ(published("gpt_neo_125m").window_of(11), causal_window(256));
}

TEST(DecoderConfigTest, ScalesAndCaps) {
  // In bfloat16 √2048 is 45.25, and in float32 √2304 is 48.
  EXPECT_EQ(published("gemma_2b").embedding_scale, 45.25);
  EXPECT_EQ(published("gemma_2b").activation, Activation::gelu_tanh);
  EXPECT_EQ(published("gemma_2_2b").embedding_scale, 48);
  EXPECT_EQ(published("gemma_2_2b").attention_scale, 1.0 / 16);
  EXPECT_EQ(published("gemma_2_2b").score_cap, 50);
  EXPECT_EQ(published("gemma_2_2b").logit_cap, 30);
  EXPECT_EQ(published("gemma_3_1b").score_cap, 0);
  EXPECT_EQ(published("gemma_3_1b").logit_cap, 0);
  EXPECT_EQ(published("gpt_neo_125m").attention_scale, 1);
}

TEST(DecoderConfigTest, TheScaleOfEmbeddingsIsRoundedToTheTypeOfTheWeights) {
  const auto scale = [](const Json& more) {
    Json json = parse_json(kDecoderFiles[5].config, "gemma");
    json.erase("torch_dtype");
    json.update(more);
    return read_config(JsonObject(json, "gemma")).embedding_scale;
  };
  EXPECT_EQ(scale(Json::object()), static_cast<double>(std::sqrt(18.0f)));
  EXPECT_EQ(scale({{"dtype", "float32"}}), static_cast<double>(std::sqrt(18.0f)));
  EXPECT_EQ(scale({{"dtype", "bfloat16"}}), 4.25);
  EXPECT_EQ(scale({{"torch_dtype", "float16"}}), 4.2421875);
}

TEST(DecoderConfigTest, RotationsOfGemma3) {
  const ModelConfig& config = published("gemma_3_1b");
  EXPECT_EQ(config.layer_rotary[0].base, 1e4);
  EXPECT_EQ(config.layer_rotary[5].base, 1e6);
  // The keys of transformers 5.
  Json json = parse_json(kDecoderFiles[7].config, "gemma3");
  const ModelConfig old = read_config(JsonObject(json, "old"));
  for (const char* key : {"rope_theta", "rope_local_base_freq", "rope_scaling"}) json.erase(key);
  json["rope_parameters"] = {{"full_attention", {{"rope_type", "linear"}, {"factor", 2.0}, {"rope_theta", 1000.0}}},
                             {"sliding_attention", {{"rope_type", "default"}, {"rope_theta", 50.0}}}};
  std::vector<std::string> unknown;
  EXPECT_EQ(read_config(JsonObject(json, "new"), &unknown).layer_rotary, old.layer_rotary);
  EXPECT_THAT(unknown, IsEmpty());
  json["rope_parameters"]["sliding_attention"] = {{"rope_type", "linear"}, {"factor", 3.0}, {"rope_theta", 50.0}};
  json["rope_parameters"]["full_attention"]["beta_fast"] = 2;
  const ModelConfig scaled = read_config(JsonObject(json, "new"), &unknown);
  EXPECT_THAT(unknown, ElementsAre("rope_parameters.full_attention.beta_fast"));
  EXPECT_EQ(std::get<LinearScaling>(scaled.layer_rotary[0].scaling).factor, 3);
  const Json written = write_config(scaled);
  EXPECT_EQ(read_config(JsonObject(written, "written")).layer_rotary, scaled.layer_rotary);
}

TEST(DecoderConfigTest, LayerTypesOfQwen) {
  Json json = parse_json(kDecoderFiles[4].config, "qwen3");
  json["use_sliding_window"] = true;
  json["sliding_window"] = 8;
  json["layer_types"] = {"sliding_attention", "full_attention", "sliding_attention"};
  const ModelConfig config = read_config(JsonObject(json, "qwen3"));
  EXPECT_THAT(config.windows, ElementsAre(causal_window(8), KeyWindow(), causal_window(8)));
  EXPECT_EQ(read_config(JsonObject(write_config(config), "written")).windows, config.windows);
}

struct Refused {
  int file;  // of kDecoderFiles
  Json more;
  std::string message;
};

TEST(DecoderConfigTest, RefusesWhatItDoesNotHave) {
  const std::vector<Refused> cases = {
      {2, {{"sliding_window", 0}}, "sliding_window"},
      {2, {{"partial_rotary_factor", 0.5}}, "a Mistral rotates whole heads"},
      {2, {{"rope_parameters", {{"full_attention", {{"rope_theta", 5.0}}}}}}, "full_attention"},
      {3, {{"layer_types", {"sliding_attention"}}}, "for each of 3 layers"},
      {3, {{"layer_types", {"sliding_attention", "full_attention", "chunked_attention"}}}, "layer_types"},
      {3,
       {{"use_sliding_window", false}, {"layer_types", {"sliding_attention", "full_attention", "full_attention"}}},
       "use_sliding_window"},
      {4, {{"head_dim", 7}}, "head_dim 7 is odd"},
      {5, {{"use_bidirectional_attention", true}}, "use_bidirectional_attention"},
      {5, {{"num_key_value_heads", 3}}, "num_key_value_heads 3"},
      {6, {{"sliding_window", nullptr}}, "sliding_window"},
      {6, {{"attn_logit_softcapping", -1}}, "attn_logit_softcapping"},
      {6, {{"final_logit_softcapping", 0}}, "final_logit_softcapping"},
      {6, {{"query_pre_attn_scalar", 0}}, "query_pre_attn_scalar"},
      {7, {{"rope_parameters", {{"rope_type", "linear"}, {"factor", 2.0}}}}, "rope_parameters"},
      {7, {{"sliding_window_pattern", 0}}, "sliding_window_pattern"},
      {8, {{"rotary_dim", nullptr}}, "rotary_dim"},
      {8, {{"rotary_dim", 64}}, "rotary_dim"},
      {8, {{"n_head", 5}}, "n_embd 24 is not a multiple of n_head 5"},
      {8, {{"n_layer", -1}}, "n_layer is -1"},
      {9, {{"attention_types", {{{"global"}, 2}}}}, "attention_types"},
      {9, {{"attention_types", Json::array({Json::array({Json::array({"dense"}), 3})})}}, "attention_types"},
      {9, {{"attention_layers", {"global", "global", "global"}}}, "attention_layers"},
      {9, {{"quantization_config", {{"bits", 4}}}}, "quantization_config"},
  };
  for (const Refused& one : cases) {
    const DecoderJson& file = kDecoderFiles[one.file];
    Json json = parse_json(file.config, file.name);
    json.update(one.more);
    EXPECT_THAT([&] { read_config(JsonObject(json, file.name)); }, ThrowsMessage<DataError>(HasSubstr(one.message)))
        << file.name << one.more;
  }
}

TEST(DecoderConfigTest, KeysThatOtherProgramsDoNotReadAreNamed) {
  const auto unknown = [](int file, const Json& more) {
    Json json = parse_json(kDecoderFiles[file].config, "file");
    json.update(more);
    std::vector<std::string> names;
    read_config(JsonObject(json, "file"), &names);
    return names;
  };
  EXPECT_THAT(unknown(0, {{"rope_interleaved", true}}), ElementsAre("rope_interleaved"));
  EXPECT_THAT(unknown(2, {{"attention_bias", true}}), ElementsAre("attention_bias"));
  EXPECT_THAT(unknown(5, {{"hidden_activation", "relu"}}), ElementsAre("hidden_activation"));
  EXPECT_THAT(unknown(6, {{"hidden_act", "silu"}}), ElementsAre("hidden_act"));
  EXPECT_THAT(unknown(7, {{"attn_logit_softcapping", 50.0}}), ElementsAre("attn_logit_softcapping"));
  EXPECT_THAT(unknown(8, {{"embd_pdrop", 0.1}, {"rotary", false}}), ElementsAre("embd_pdrop", "rotary"));
  EXPECT_THAT(unknown(9, {{"embed_dropout", 0.1}, {"rope_theta", 5.0}}), ElementsAre("embed_dropout", "rope_theta"));
}

// Weights in training are float32, whatever those of the file are.
TEST(DecoderConfigTest, TrainingHasTheScaleOfFloat32) {
  const TempDirectory directory;
  write_file_atomically(directory / "config.json", kDecoderFiles[5].config);
  std::vector<std::string> warnings;
  const ModelConfig config = read_config_to_train(directory / "config.json", warnings);
  EXPECT_THAT(warnings, IsEmpty());
  EXPECT_EQ(config.embedding_scale, static_cast<double>(std::sqrt(18.0f)));
  EXPECT_FALSE(write_config(config).contains("dtype"));
  EXPECT_EQ(write_config(kDecoderFiles[5].read()).at("dtype"), "bfloat16");
}

// transformers takes 50256 for a token that a file does not name.
TEST(DecoderConfigTest, NoTokenBeyondTheVocabulary) {
  for (const int file : {8, 9}) {
    const Json written = write_config(kDecoderFiles[file].read());
    EXPECT_TRUE(written.at("bos_token_id").is_null());
    EXPECT_TRUE(written.at("eos_token_id").is_null());
  }
  EXPECT_EQ(write_config(published("gpt_neo_125m")).at("eos_token_id"), 50256);
  EXPECT_FALSE(write_config(kDecoderFiles[0].read()).contains("bos_token_id"));
}

// What shape options change, the rest follows.
TEST(DecoderConfigTest, ShapesFromAFile) {
  ShapeOptions options;
  options.hidden_size = 30;
  options.layers = 2;
  ModelConfig config = options.apply(kDecoderFiles[7].read());
  complete(config, "");
  EXPECT_EQ(config.embedding_scale, static_cast<double>(std::sqrt(30.0f)));
  EXPECT_EQ(config.windows.size(), 2u);
  EXPECT_EQ(config.layer_rotary.size(), 2u);
  EXPECT_EQ(write_config(read_config(JsonObject(write_config(config), "written"))), write_config(config));
}

}  // namespace
}  // namespace roformer::test
