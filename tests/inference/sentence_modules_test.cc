#include "inference/sentence_modules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"
#include "base/file.h"
#include "formats/safetensors.h"
#include "tests/base/temp_directory.h"

namespace roformer {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

class SentenceDirectory : public testing::Test {
 protected:
  void put(const std::string& name, const std::string& content) {
    const std::string path = directory_ / name;
    make_directories(parent_directory(path));
    write_file_atomically(path, content);
  }
  void put_modules(const std::string& pooling_path = "1_Pooling") {
    put("modules.json", R"([{"idx": 0, "path": "", "type": "sentence_transformers.models.Transformer"},
                            {"idx": 1, "path": ")" +
                            pooling_path + R"(", "type": "sentence_transformers.models.Pooling"},
                            {"idx": 2, "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"}])");
  }
  // Modules behind the transformer, each in a folder of its name.
  void put_list(const std::vector<std::string>& modules) {
    std::string list = R"([{"path": "", "type": "sentence_transformers.base.modules.transformer.Transformer"})";
    for (const std::string& name : modules) {
      list += fmt::format(R"(, {{"path": "{0}", "type": "sentence_transformers.models.{0}"}})", name);
    }
    put("modules.json", list + "]");
  }
  void put_weights(const std::string& name, const std::vector<std::pair<std::string, Shape>>& tensors) {
    std::vector<std::pair<std::string, Tensor>> values;
    for (const auto& [tensor, shape] : tensors) {
      values.emplace_back(tensor, Tensor::allocate(shape, DType::float32));
      float* first = values.back().second.data<float>();
      for (int64_t i = 0; i < shape.elements(); ++i) first[i] = static_cast<float>(i + 1);
    }
    make_directories(parent_directory(directory_ / name));
    write_safetensors(directory_ / name, values);
  }
  SentenceModules read() { return read_sentence_modules(directory_ / ""); }
  std::vector<TextPooling> modes() { return std::get<PoolStep>(read().steps.at(0).what).modes; }
  std::string failure() {
    try {
      read();
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  }

  TempDirectory directory_;
};

TEST_F(SentenceDirectory, WithoutModulesSaysNothing) {
  put("sentence_bert_config.json", R"({"max_seq_length": 7})");  // nobody reads it then
  const SentenceModules modules = read();
  EXPECT_FALSE(modules.listed);
  EXPECT_TRUE(modules.steps.empty());
  EXPECT_EQ(modules.max_length, std::nullopt);
  EXPECT_EQ(modules.unsupported, "");
}

// As that library passes them on: what is given to the tokenizer overrules max_seq_length, what is given with each text
// overrules both.
TEST_F(SentenceDirectory, TheLimitNearestToTheTextCounts) {
  put_modules();
  put("1_Pooling/config.json", "{}");
  const std::pair<const char*, int64_t> cases[] = {
      {R"({"tokenizer_args": {"model_max_length": 7}, "max_seq_length": 10})", 7},
      {R"({"max_seq_length": 7, "processor_kwargs": {"model_max_length": 12}})", 12},
      {R"({"tokenizer_args": {"model_max_length": 6}, "processor_kwargs": {"model_max_length": 12}})", 6},
      {R"({"max_seq_length": 7, "processor_kwargs": {"model_max_length": null}})", 7},
      {R"({"max_seq_length": 7, "processing_kwargs": {"common": {"max_length": 4}, "text": {"max_length": 5}}})", 5}};
  for (const auto& [config, expected] : cases) {
    put("sentence_bert_config.json", config);
    const SentenceModules modules = read();
    EXPECT_EQ(modules.max_length, expected) << config;
    EXPECT_THAT(modules.ignored, testing::IsEmpty()) << config;
  }
  put("sentence_bert_config.json", R"({"processing_kwargs": {"text": {"padding": "max_length"}, "audio": {}}})");
  std::vector<std::string> keys;
  for (const auto& [file, key] : read().ignored) keys.push_back(key);
  EXPECT_THAT(keys, ElementsAre("text.padding", "processing_kwargs.audio"));
}

TEST_F(SentenceDirectory, SaysPoolingNormalizationAndLength) {
  put_modules();
  put("sentence_bert_config.json", R"({"max_seq_length": 256, "do_lower_case": true})");
  using enum TextPooling;
  const std::pair<const char*, std::vector<TextPooling>> cases[] = {
      {R"({"pooling_mode_cls_token": true, "pooling_mode_mean_tokens": false})", {cls}},
      {R"({"pooling_mode_mean_tokens": true, "word_embedding_dimension": 384})", {TextPooling::mean}},
      {R"({"pooling_mode_lasttoken": true, "pooling_mode_max_tokens": true})", {max, lasttoken}},
      {R"({"pooling_mode_mean_sqrt_len_tokens": true})", {mean_sqrt_len_tokens}},
      {R"({"pooling_mode": "weightedmean", "pooling_mode_cls_token": true})", {weightedmean}},
      {R"({"pooling_mode": ["lasttoken", "cls"]})", {lasttoken, cls}},
      {"{}", {TextPooling::mean}}};
  for (const auto& [config, expected] : cases) {
    put("1_Pooling/config.json", config);
    EXPECT_EQ(modes(), expected) << config;
    const SentenceModules modules = read();
    ASSERT_EQ(modules.steps.size(), 2u);
    EXPECT_TRUE(std::holds_alternative<NormalizeStep>(modules.steps[1].what));
    EXPECT_EQ(modules.max_length, 256);
    EXPECT_TRUE(modules.lower_case);
    EXPECT_EQ(modules.unsupported, "");
    EXPECT_TRUE(modules.ignored.empty());
  }
}

TEST_F(SentenceDirectory, HasWeightsInItsModules) {
  put_list({"Pooling", "Dense", "LayerNorm", "Dropout"});
  put("Pooling/config.json", R"({"include_prompt": false})");
  put("Dense/config.json", R"({"in_features": 3, "out_features": 2, "use_residual": true,
                               "activation_function": "torch.nn.modules.linear.Identity"})");
  put("LayerNorm/config.json", R"({"dimension": 2})");
  put_weights("Dense/model.safetensors",
              {{"linear.weight", {2, 3}}, {"linear.bias", {2}}, {"residual.weight", {2, 3}}});
  put_weights("LayerNorm/model.safetensors", {{"norm.weight", {2}}, {"norm.bias", {2}}});
  const SentenceModules modules = read();
  ASSERT_EQ(modules.steps.size(), 3u);
  EXPECT_FALSE(std::get<PoolStep>(modules.steps[0].what).include_prompt);
  const auto& dense = std::get<DenseStep>(modules.steps[1].what);
  EXPECT_THAT(dense.weights->weight, ElementsAre(1, 2, 3, 4, 5, 6));
  EXPECT_THAT(dense.weights->bias, ElementsAre(1, 2));
  EXPECT_THAT(dense.weights->projection, ElementsAre(1, 2, 3, 4, 5, 6));
  EXPECT_EQ(dense.activation(-3), -3);
  EXPECT_THAT(std::get<LayerNormStep>(modules.steps[2].what).bias, ElementsAre(1, 2));

  // What does not fit is reported at once.
  put("Dense/config.json", R"({"in_features": 4, "out_features": 2, "bias": false})");
  EXPECT_THAT(failure(), testing::AllOf(HasSubstr("wrong: \"linear.weight\" is float32 [2, 3], expected [2, 4]"),
                                        HasSubstr("extra: \"linear.bias\" [2]"), HasSubstr("residual")));
  put("Dense/config.json", R"({"in_features": 3, "out_features": 2, "module_input_name": "token_embeddings"})");
  put_weights("Dense/model.safetensors", {{"linear.weight", {2, 3}}, {"linear.bias", {2}}});
  EXPECT_TRUE(read().steps.at(1).on_tokens);
  EXPECT_EQ(std::get<DenseStep>(read().steps[1].what).activation(0.5), std::tanh(0.5));
}

TEST_F(SentenceDirectory, NamesWhatIsNotSupported) {
  const auto unsupported = [&](const std::string& file, const std::string& content) {
    put(file, content);
    return read().unsupported;
  };
  put_list({"Pooling", "Dense"});
  put("Pooling/config.json", "{}");
  put("Dense/config.json", R"({"in_features": 3, "out_features": 2, "activation_function": "my.Own"})");
  EXPECT_THAT(read().unsupported, HasSubstr("Dense/config.json: 'activation_function' \"my.Own\" is not supported"));
  EXPECT_THAT(unsupported("Dense/config.json", R"({"module_output_name": "scores"})"), HasSubstr("\"scores\""));
  put_list({"Pooling"});
  EXPECT_THAT(unsupported("Pooling/config.json", R"({"pooling_mode": "median"})"), HasSubstr("\"median\""));
  put("Pooling/config.json", "{}");
  EXPECT_EQ(read().unsupported, "");
  const std::string transformer = "sentence_bert_config.json";
  EXPECT_THAT(unsupported(transformer, R"({"transformer_task": "fill-mask"})"), HasSubstr("\"fill-mask\""));
  EXPECT_THAT(unsupported(transformer, R"({"module_output_name": "sentence_embedding"})"),
              HasSubstr("module_output_name"));
  EXPECT_THAT(unsupported(transformer, R"({"modality_config": {"text": {"method": "encode"}}})"),
              HasSubstr("\"encode\""));
  put(transformer, "{}");
  EXPECT_THAT(unsupported("config_sentence_transformers.json", R"({"similarity_fn_name": "maxsim"})"),
              HasSubstr("\"maxsim\""));
  put("config_sentence_transformers.json", "{}");
  put_list({"CNN"});
  EXPECT_THAT(read().unsupported, HasSubstr("models.CNN\" is not supported"));
  put("modules.json", R"([{"path": "", "type": "custom_st.Transformer"}])");
  EXPECT_THAT(read().unsupported, HasSubstr("custom_st.Transformer"));
}

TEST_F(SentenceDirectory, NamesWhatIsIgnored) {
  put_list({"Pooling"});
  put("Pooling/config.json", R"({"pooling_mode": "cls", "temperature": 2, "nothing": null})");
  put("sentence_bert_config.json", R"({"query_length": 3, "model_args": {"torch_dtype": "auto", "rope": 1}})");
  put("config_sentence_transformers.json", R"({"__version__": {}, "prompts": {}, "soft": true})");
  std::vector<std::string> ignored;
  for (const auto& [file, key] : read().ignored) {
    ignored.push_back(file.substr((directory_ / "").size()) + ": " + key);
  }
  EXPECT_THAT(ignored, testing::UnorderedElementsAre(
                           "Pooling/config.json: temperature", "sentence_bert_config.json: query_length",
                           "sentence_bert_config.json: model_args.rope", "config_sentence_transformers.json: soft"));
}

TEST_F(SentenceDirectory, HasPromptsAndMore) {
  put_list({});
  put("config_sentence_transformers.json",
      R"({"prompts": {"passage": "p: ", "query": "q: "}, "default_prompt_name": "passage", "truncate_dim": 3,
          "similarity_fn_name": "dot"})");
  const SentenceModules modules = read();
  EXPECT_THAT(modules.prompts, ElementsAre(Pair("document", ""), Pair("passage", "p: "), Pair("query", "q: ")));
  EXPECT_EQ(modules.default_prompt, "passage");
  EXPECT_EQ(modules.dimensions, 3);
  EXPECT_EQ(modules.similarity, Similarity::dot);
  put("config_sentence_transformers.json", R"({"default_prompt_name": "other"})");
  EXPECT_THAT(failure(), HasSubstr("'default_prompt_name' is \"other\", expected one of the prompts"));
}

TEST_F(SentenceDirectory, SaysWhatACrossEncoderDoesWithItsLogits) {
  const auto at_one = [&] {
    const auto activation = read().activation;
    return activation ? activation->each(1) : std::optional<double>();
  };
  const double sigmoid = 1 / (1 + std::exp(-1.0));
  put("config.json", "{}");
  EXPECT_EQ(at_one(), std::nullopt);
  put("config.json", R"({"sbert_ce_default_activation_function": "torch.nn.modules.linear.Identity"})");
  EXPECT_EQ(at_one(), 1);
  put("config.json", R"({"sentence_transformers": {"activation_fn": "torch.nn.modules.activation.Tanh"}})");
  EXPECT_EQ(at_one(), std::tanh(1.0));
  put_list({});
  put("config_sentence_transformers.json", R"({"activation_fn": "torch.nn.modules.activation.Sigmoid"})");
  EXPECT_EQ(at_one(), sigmoid);
  // A cross-encoder that names none: by the number of labels.
  put("config_sentence_transformers.json", R"({"model_type": "CrossEncoder"})");
  put("config.json", R"({"id2label": {"0": "a"}})");
  EXPECT_EQ(at_one(), sigmoid);
  put("config.json", R"({"id2label": {"0": "a", "1": "b"}})");
  EXPECT_EQ(at_one(), 1);
  put("config_sentence_transformers.json", R"({"activation_fn": "torch.nn.Softmax"})");
  EXPECT_TRUE(read().activation->softmax);
  put("config_sentence_transformers.json", R"({"activation_fn": "torch.nn.modules.activation.Softmax"})");
  EXPECT_TRUE(read().activation->softmax);
  put("config_sentence_transformers.json", R"({"activation_fn": "my.Own"})");
  EXPECT_THAT(read().unsupported_activation, HasSubstr("'activation_fn' \"my.Own\" is not supported"));
}

TEST_F(SentenceDirectory, RefusesFoldersElsewhere) {
  for (const char* path : {"../1_Pooling", "/etc", "a/../../b", "..", "a\\\\b", "a\\u0000b"}) {
    put_modules(path);
    EXPECT_THAT(failure(), HasSubstr("expected the name of a folder in the directory")) << path;
  }
  put_modules("more/1_Pooling");
  put("more/1_Pooling/config.json", R"({"pooling_mode": "cls"})");
  EXPECT_THAT(modes(), ElementsAre(TextPooling::cls));
}

TEST_F(SentenceDirectory, RefusesWhatIsNoSuchFile) {
  put("modules.json", "{}");
  EXPECT_THAT(failure(), HasSubstr("expected a list of modules"));
  put("modules.json", "[1]");
  EXPECT_THAT(failure(), HasSubstr("[0]"));
  put("modules.json", R"([{"type": 3}])");
  EXPECT_THAT(failure(), HasSubstr("'type' is 3"));
  put_modules();
  EXPECT_THAT(failure(), HasSubstr("1_Pooling/config.json"));
  put("1_Pooling/config.json", R"({"pooling_mode_max_tokens": 1})");
  EXPECT_THAT(failure(), HasSubstr("'pooling_mode_max_tokens' is 1"));
  put("sentence_bert_config.json", R"({"max_seq_length": -5})");
  EXPECT_THAT(failure(), HasSubstr("'max_seq_length' is -5"));
  put("sentence_bert_config.json", R"({"max_seq_length": 1e300})");
  EXPECT_THAT(failure(), HasSubstr("'max_seq_length' is 1e+300"));
}

}  // namespace
}  // namespace roformer
