// Reading and writing config.json, and all of its errors.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "models/config.h"
#include "models/families/family.h"
#include "tests/base/error_detail.h"
#include "tests/base/temp_directory.h"

namespace roformer {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::ThrowsMessage;

// As written by transformers, without keys that have defaults.
Json minimal() {
  return Json{{"vocab_size", 50},
              {"hidden_size", 24},
              {"num_hidden_layers", 2},
              {"num_attention_heads", 3},
              {"intermediate_size", 40}};
}

ModelConfig read(const Json& json, std::vector<std::string>* unknown = nullptr) {
  return read_config(JsonObject(json, "some/config.json"), unknown);
}

void expect_equal(const ModelConfig& actual, const ModelConfig& expected) {
  EXPECT_EQ(actual.vocabulary, expected.vocabulary);
  EXPECT_EQ(actual.embedding, expected.embedding);
  EXPECT_EQ(actual.hidden, expected.hidden);
  EXPECT_EQ(actual.layers, expected.layers);
  EXPECT_EQ(actual.heads, expected.heads);
  EXPECT_EQ(actual.intermediate, expected.intermediate);
  EXPECT_EQ(actual.activation, expected.activation);
  EXPECT_EQ(actual.hidden_dropout, expected.hidden_dropout);
  EXPECT_EQ(actual.attention_dropout, expected.attention_dropout);
  EXPECT_EQ(actual.max_positions, expected.max_positions);
  EXPECT_EQ(actual.segments, expected.segments);
  EXPECT_EQ(actual.initializer_range, expected.initializer_range);
  EXPECT_EQ(actual.norm_epsilon, expected.norm_epsilon);
  EXPECT_EQ(actual.pad_id, expected.pad_id);
  EXPECT_EQ(actual.position, expected.position);
  EXPECT_EQ(actual.attention, expected.attention);
  EXPECT_EQ(actual.linear, expected.linear);
  EXPECT_EQ(actual.head, expected.head);
  EXPECT_EQ(actual.family, expected.family);
  EXPECT_EQ(actual.norm, expected.norm);
  EXPECT_EQ(actual.biased, expected.biased);
  EXPECT_EQ(actual.attention_mask, expected.attention_mask);
  EXPECT_EQ(actual.cross_attention, expected.cross_attention);
  EXPECT_EQ(actual.rotate_cross_queries, expected.rotate_cross_queries);
  EXPECT_EQ(actual.tied, expected.tied);
  EXPECT_EQ(actual.pooler, expected.pooler);
  EXPECT_EQ(actual.pooler_activation, expected.pooler_activation);
  EXPECT_EQ(actual.labels, expected.labels);
  EXPECT_EQ(actual.problem, expected.problem);
  EXPECT_EQ(actual.classifier_dropout, expected.classifier_dropout);
  EXPECT_EQ(actual.summary, expected.summary);
  EXPECT_EQ(actual.summary_projection, expected.summary_projection);
}

TEST(ConfigTest, DefaultsAreThoseOfTransformers) {
  std::vector<std::string> unknown;
  const ModelConfig config = read(minimal(), &unknown);
  EXPECT_THAT(unknown, IsEmpty());
  EXPECT_EQ(config.embedding, 24);
  EXPECT_EQ(config.activation, Activation::gelu);
  EXPECT_EQ(config.hidden_dropout, 0.1);
  EXPECT_EQ(config.attention_dropout, 0.1);
  EXPECT_EQ(config.max_positions, 1536);
  EXPECT_EQ(config.segments, 2);
  EXPECT_EQ(config.initializer_range, 0.02);
  EXPECT_EQ(config.norm_epsilon, 1e-12);
  EXPECT_EQ(config.pad_id, 0);
  EXPECT_EQ(config.head, Head::none);
  const RotaryPosition rotary{.rotary = {.dim = 8, .layout = RotaryLayout::adjacent, .base = 10000},
                              .rotate_values = false};
  EXPECT_EQ(config.position, PositionEncoding(rotary));
}

TEST(ConfigTest, NullIsAbsent) {
  Json json = minimal();
  json["embedding_size"] = nullptr;
  json["rotary_value"] = nullptr;
  EXPECT_EQ(read(json).embedding, 24);
}

TEST(ConfigTest, WritesWhatItReads) {
  for (const std::string_view position : position_names()) {
    for (const Activation activation : {Activation::gelu, Activation::relu, Activation::tanh}) {
      SCOPED_TRACE(::testing::Message() << position << ", activation " << static_cast<int>(activation));
      ModelConfig config;
      config.vocabulary = 77;
      config.embedding = 10;
      config.hidden = 24;
      config.layers = 5;
      config.heads = 6;
      config.intermediate = 33;
      config.activation = activation;
      config.hidden_dropout = 0.15;
      config.attention_dropout = 0.3;
      config.max_positions = 99;
      config.segments = 4;
      config.initializer_range = 0.013;
      config.norm_epsilon = 3e-7;
      config.pad_id = 9;
      config.position = parse_position(position);
      if (auto* rotary = std::get_if<RotaryPosition>(&config.position)) rotary->rotate_values = !rotary->xpos;
      config.head = activation == Activation::relu ? Head::none : Head::masked_lm;
      complete(config, "");
      std::vector<std::string> unknown;
      expect_equal(read(parse_json(dump_json(write_config(config)), "written"), &unknown), config);
      EXPECT_THAT(unknown, IsEmpty());
    }
  }
}

TEST(ConfigTest, OtherPositionsAreNotCalledARoFormer) {
  ModelConfig config = preset_config("demo");
  EXPECT_EQ(write_config(config).at("model_type"), "roformer");
  EXPECT_FALSE(write_config(config).contains("position_embedding_type"));
  config.position = LearnedPosition{};
  EXPECT_NE(write_config(config).at("model_type"), "roformer");
  EXPECT_EQ(write_config(config).at("position_embedding_type"), "learned");
}

TEST(ConfigTest, UnknownKeysAreReported) {
  Json json = minimal();
  json["rope_theta"] = 500;
  json["use_cache"] = true;  // known and ignored
  json["attention_type"] = "linear";
  std::vector<std::string> unknown;
  read(json, &unknown);
  EXPECT_THAT(unknown, ElementsAre("attention_type", "rope_theta"));
}

// A new model of such a config would silently be another than its author meant.
TEST(ConfigTest, ToTrainFromKeysWithAMeaningElsewhereAreRefused) {
  const TempDirectory directory;
  const std::string path = directory / "config.json";
  const auto read_to_train = [&](const char* key, const Json& value, const char* type) {
    Json json = minimal();
    json["model_type"] = type;
    json["my_key"] = 1;
    json[key] = value;
    write_file_atomically(path, json.dump());
    std::vector<std::string> warnings;
    const ModelConfig config = read_config_to_train(path, warnings);
    EXPECT_THAT(warnings,
                ElementsAre(testing::AllOf(HasSubstr(path + ": not understood and ignored: "), HasSubstr("my_key"))));
    EXPECT_EQ(warnings.at(0).find(key) != std::string::npos, std::string(type) == "roformer") << key;
    return config;
  };
  const std::vector<std::pair<const char*, Json>> meant = {{"rope_theta", 500},
                                                           {"partial_rotary_factor", 0.5},
                                                           {"rope_scaling", {{"rope_type", "linear"}, {"factor", 2}}},
                                                           {"attention_type", "linear-elu"}};
  for (const auto& [key, value] : meant) {
    EXPECT_THAT([&] { read_to_train(key, value, "roformer"); },
                testing::ThrowsMessage<DataError>(testing::AllOf(HasSubstr(path + ": '" + key + "' is "),
                                                                 HasSubstr("\"model_type\": \"roformer_variant\""))));
    EXPECT_NE(write_config(read_to_train(key, value, "roformer_variant")), write_config(read(minimal())));
  }
  // Without an effect they are only unknown.
  expect_equal(read_to_train("rope_theta", 10000, "roformer"), read(minimal()));
  expect_equal(read_to_train("rope_scaling", nullptr, "roformer"), read(minimal()));
}

struct BadValue {
  const char* key;
  Json value;
  const char* named;            // what the message must contain besides the file's name
  const char* about = nullptr;  // the key that the error is about, where it is another; "" for none
};

TEST(ConfigTest, RefusesValues) {
  const Json infinite = 1e300;
  const std::vector<BadValue> cases = {
      // missing and of the wrong type
      {"vocab_size", nullptr, "'vocab_size' is missing"},
      {"hidden_size", nullptr, "'hidden_size' is missing"},
      {"num_hidden_layers", nullptr, "'num_hidden_layers' is missing"},
      {"num_attention_heads", nullptr, "'num_attention_heads' is missing"},
      {"intermediate_size", nullptr, "'intermediate_size' is missing"},
      {"hidden_size", "24", "'hidden_size' is \"24\""},
      {"hidden_size", 24.0, "'hidden_size' is 24.0"},
      {"hidden_size", Json::array({24}), "'hidden_size' is [24]"},
      {"hidden_size", true, "'hidden_size' is true"},
      {"hidden_size", 1e30, "'hidden_size'"},
      {"hidden_size", UINT64_MAX, "'hidden_size'"},
      {"layer_norm_eps", "small", "'layer_norm_eps'"},
      {"rotary_value", 1, "'rotary_value'"},
      {"hidden_act", 3, "'hidden_act'"},
      {"architectures", 7, "'architectures'"},
      {"architectures", Json::array({7}), "'architectures'"},
      {"position_embedding_type", 4, "'position_embedding_type'"},
      // out of range
      {"vocab_size", 0, "vocab_size is 0"},
      {"vocab_size", -1, "vocab_size is -1"},
      {"vocab_size", 10'000'001, "vocab_size is 10000001"},
      {"hidden_size", 0, "hidden_size is 0"},
      {"hidden_size", -24, "hidden_size is -24"},
      {"hidden_size", INT64_MAX, "hidden_size is 9223372036854775807"},
      {"hidden_size", INT64_MIN, "hidden_size is -9223372036854775808"},
      {"embedding_size", 0, "embedding_size is 0"},
      {"embedding_size", 1'000'000, "embedding_size is 1000000"},
      {"num_hidden_layers", -1, "num_hidden_layers is -1"},
      {"num_hidden_layers", 1'000'000'000, "num_hidden_layers is 1000000000"},
      {"num_attention_heads", 0, "num_attention_heads is 0"},
      {"num_attention_heads", -3, "num_attention_heads is -3"},
      {"intermediate_size", 0, "intermediate_size is 0"},
      {"intermediate_size", INT64_MAX, "intermediate_size is"},
      {"max_position_embeddings", 0, "max_position_embeddings is 0"},
      {"max_position_embeddings", INT64_MAX, "max_position_embeddings is"},
      {"type_vocab_size", 0, "type_vocab_size is 0"},
      {"type_vocab_size", INT64_MAX, "type_vocab_size is"},
      {"pad_token_id", -1, "pad_token_id is -1"},
      {"pad_token_id", 50, "pad_token_id is 50"},
      {"hidden_dropout_prob", 1, "hidden_dropout_prob is 1"},
      {"hidden_dropout_prob", -0.1, "hidden_dropout_prob is -0.1"},
      {"attention_probs_dropout_prob", 1.5, "attention_probs_dropout_prob is 1.5"},
      {"attention_probs_dropout_prob", infinite, "attention_probs_dropout_prob"},
      {"layer_norm_eps", -1e-12, "layer_norm_eps is -1e-12"},
      {"layer_norm_eps", infinite, "layer_norm_eps"},
      {"initializer_range", -1, "initializer_range is -1"},
      {"initializer_range", infinite, "initializer_range"},
      // inconsistent parts
      {"num_attention_heads", 5, "hidden_size 24 is not a multiple of num_attention_heads 5", "hidden_size"},
      {"num_attention_heads", 8, "head size 3 (hidden_size / num_attention_heads) is odd", "hidden_size"},
      {"num_attention_heads", 24, "head size 1 (hidden_size / num_attention_heads) is odd", "hidden_size"},
      {"num_attention_heads", 48, "hidden_size 24 is not a multiple of num_attention_heads 48", "hidden_size"},
      // unsupported models
      {"model_type", "electra", "'model_type' is \"electra\""},
      {"architectures", Json::array({"MyNextSentencePrediction"}), "'architectures' is [\"MyNext"},
      {"architectures", Json::array({"RoFormerForMagic"}), "RoFormerForSequenceClassification"},
      {"hidden_act", "mish", "'hidden_act' is \"mish\", expected one of gelu, relu"},
      {"position_embedding_type", "absolute", "'position_embedding_type' is \"absolute\""},
      {"is_decoder", "yes", "'is_decoder'"},
      {"add_cross_attention", true, "add_cross_attention needs is_decoder"},
      {"cross_attention_rotation", "both", "'cross_attention_rotation' is \"both\""},
      {"is_encoder_decoder", true, "'is_encoder_decoder' is true"},
      {"cross_attention_hidden_size", 12, "'cross_attention_hidden_size' is 12"},
      {"quantization_config", Json::object({{"bits", 8}}), "'quantization_config'"},
      {"pruned_heads", Json::object({{"1", Json::array({0})}}), "'pruned_heads'"},
      {"pruned_heads", 3, "'pruned_heads'"},
      {"pooler_activation", "square", "'pooler_activation'"},
      {"problem_type", "ranking", "'problem_type' is \"ranking\""},
      {"id2label", Json::object({{"zero", "a"}}), "'id2label' is {\"zero\":\"a\"}, expected the names"},
      {"id2label", Json::object({{"-1", "a"}}), "'id2label'"},
      {"id2label", Json::object({{"100000", "a"}}), "'id2label'"},
      {"id2label", Json::object({{"0", Json::array()}}), "'0' is []", "0"},
      {"num_labels", -2, "'num_labels' is -2"},
      {"num_labels", 1'000'000'000, "'num_labels'"},
  };
  for (const BadValue& bad : cases) {
    SCOPED_TRACE(::testing::Message() << bad.key << ": " << bad.value);
    Json json = minimal();
    json["architectures"] = {"RoFormerForSequenceClassification"};  // which has all keys
    json[bad.key] = bad.value;
    EXPECT_THAT([&] { read(json); },
                ThrowsMessage<DataError>(AllOf(HasSubstr("some/config.json"), HasSubstr(bad.named))));
    EXPECT_EQ(detail_of<DataError>([&] { read(json); }).key, bad.about == nullptr ? bad.key : bad.about);
  }
  EXPECT_NO_THROW(read(minimal()));
  EXPECT_THROW(read_config("/nonexistent/config.json"), FileError);
}

Json with(Json json, const Json& more) {
  if (!more.is_null()) json.update(more);
  return json;
}

TEST(ConfigTest, FamiliesAndHeadsByArchitecture) {
  const std::vector<std::pair<const char*, Head>> heads = {{"Model", Head::none},
                                                           {"ForMaskedLM", Head::masked_lm},
                                                           {"ForSequenceClassification", Head::sequence_classification},
                                                           {"ForTokenClassification", Head::token_classification},
                                                           {"ForQuestionAnswering", Head::question_answering},
                                                           {"ForMultipleChoice", Head::multiple_choice}};
  for (const auto& [name, head] : heads) {
    const ModelConfig roformer = read(with(minimal(), {{"architectures", {std::string("RoFormer") + name}}}));
    EXPECT_EQ(roformer.head, head) << name;
    EXPECT_EQ(roformer.family, &families::roformer);
    const ModelConfig bert = read(with(minimal(), {{"architectures", {std::string("Bert") + name}}}));
    EXPECT_EQ(bert.head, head) << name;
    EXPECT_EQ(bert.family, &families::bert);
    EXPECT_EQ(bert.position, PositionEncoding(LearnedPosition{512}));
    EXPECT_EQ(bert.pooler, head == Head::sequence_classification || head == Head::multiple_choice);
  }
  EXPECT_EQ(read(with(minimal(), {{"architectures", {"RoFormerForCausalLM"}}})).head, Head::causal_lm);
  EXPECT_EQ(read(with(minimal(), {{"architectures", {"BertLMHeadModel"}}})).head, Head::causal_lm);
  EXPECT_EQ(read(with(minimal(), {{"architectures", {"BertForPreTraining"}}})).head, Head::masked_lm);
  EXPECT_EQ(read(with(minimal(), {{"model_type", "bert"}})).family, &families::bert);
  const Json crossed = with(minimal(), {{"model_type", "bert"}, {"architectures", {"RoFormerModel"}}});
  EXPECT_EQ(detail_of<DataError>([&] { read(crossed); }).key, "architectures");
  const Json relative = with(minimal(), {{"model_type", "bert"}, {"position_embedding_type", "relative_key"}});
  EXPECT_EQ(detail_of<DataError>([&] { read(relative); }).key, "position_embedding_type");
}

TEST(ConfigTest, LabelsAndProblems) {
  const Json classifier = with(minimal(), {{"architectures", {"RoFormerForSequenceClassification"}}});
  const auto labels = [&](const Json& more) { return read(with(classifier, more)).labels; };
  EXPECT_THAT(labels({}), ElementsAre("LABEL_0", "LABEL_1"));
  EXPECT_THAT(labels({{"num_labels", 3}}), ElementsAre("LABEL_0", "LABEL_1", "LABEL_2"));
  EXPECT_THAT(labels({{"id2label", {{"1", "b"}, {"0", "a"}}}}), ElementsAre("a", "b"));
  // As in transformers the number wins, and the names are lost.
  const Json disagree = {{"num_labels", 3}, {"id2label", {{"1", "b"}, {"0", "a"}}}};
  EXPECT_THAT(labels(disagree), ElementsAre("LABEL_0", "LABEL_1", "LABEL_2"));
  EXPECT_THAT(labels({{"id2label", {{"0", 7}, {"1", nullptr}, {"2", true}}}}), ElementsAre("7", "LABEL_1", "true"));
  EXPECT_THAT(labels({{"id2label", {{"0", "a"}, {"2", "c"}}}}), ElementsAre("a", "LABEL_1"));
  EXPECT_THAT(labels({{"id2label", nullptr}, {"num_labels", 1}}), ElementsAre("LABEL_0"));
  EXPECT_THAT(labels({{"id2label", Json::object()}}), ElementsAre("LABEL_0", "LABEL_1"));
  // As in transformers' pipeline, the one label has a score, unless it is a regression.
  EXPECT_EQ(read(with(classifier, {{"num_labels", 1}})).problem, Problem::score);
  EXPECT_EQ(read(with(classifier, {{"num_labels", 1}, {"problem_type", "single_label_classification"}})).problem,
            Problem::score);
  EXPECT_EQ(read(with(classifier, {{"num_labels", 1}, {"problem_type", "regression"}})).problem, Problem::regression);
  EXPECT_EQ(read(with(classifier, {{"num_labels", 4}})).problem, Problem::single_label);
  EXPECT_EQ(read(with(classifier, {{"problem_type", "multi_label_classification"}})).problem, Problem::multi_label);
}

TEST(ConfigTest, RoFormerV2AndSim) {
  const Json keys = {{"norm_type", "rms_norm"}, {"use_bias", false}, {"hidden_act", "relu"}};
  const ModelConfig second = read(with(minimal(), keys));
  EXPECT_EQ(second.norm, NormKind::rms);
  EXPECT_FALSE(second.biased);
  EXPECT_EQ(read(with(minimal(), with(keys, {{"rms_norm_scale", true}}))).norm, NormKind::rms_with_gain);
  EXPECT_EQ(read(with(minimal(), {{"pooler_activation", "linear"}})).pooler_activation, Activation::none);
  const Json narrow = with(with(minimal(), keys), {{"embedding_size", 12}, {"architectures", {"RoFormerForMaskedLM"}}});
  EXPECT_EQ(detail_of<DataError>([&] { read(narrow); }).key, "embedding_size");
}

// A round trip of one setting of each kind.
TEST(ConfigTest, WritesFamiliesAndHeads) {
  const std::vector<Json> all = {
      {{"architectures", {"RoFormerForCausalLM"}},
       {"is_decoder", true},
       {"add_cross_attention", true},
       {"cross_attention_rotation", "query"},
       {"tie_word_embeddings", false}},
      {{"architectures", {"RoFormerForMaskedLM"}},
       {"norm_type", "rms_norm"},
       {"rms_norm_scale", true},
       {"use_bias", false}},
      {{"architectures", {"RoFormerForSequenceClassification"}},
       {"id2label", {{"0", "no"}, {"1", "yes"}, {"2", "?"}}},
       {"problem_type", "multi_label_classification"}},
      {{"architectures", {"RoFormerForMultipleChoice"}},
       {"summary_type", "first"},
       {"summary_use_proj", true},
       {"summary_activation", "tanh"}},
      {{"architectures", {"RoFormerForMultipleChoice"}}, {"summary_type", "mean"}},
      {{"architectures", {"BertForTokenClassification"}}, {"num_labels", 5}, {"classifier_dropout", 0.25}},
      {{"architectures", {"BertForQuestionAnswering"}}, {"hidden_act", "gelu_new"}},
  };
  for (const Json& more : all) {
    SCOPED_TRACE(more.dump());
    const ModelConfig config = read(with(minimal(), more));
    std::vector<std::string> unknown;
    const ModelConfig again = read(parse_json(dump_json(write_config(config)), "written"), &unknown);
    expect_equal(again, config);
    EXPECT_THAT(unknown, IsEmpty());
  }
  ModelConfig prefix = read(minimal());
  prefix.attention_mask = AttentionMask::prefix;
  EXPECT_THROW(write_config(prefix), DataError);
}

TEST(ConfigTest, OddHeadsArriveWithoutRotation) {
  Json json = minimal();
  json["num_attention_heads"] = 8;
  json["position_embedding_type"] = "learned";
  json["max_position_embeddings"] = 12;
  EXPECT_EQ(std::get<LearnedPosition>(read(json).position).max_positions, 12);
}

TEST(ConfigTest, SettingsFromOptionsAreUsageErrors) {
  ModelConfig config = preset_config("demo");
  config.heads = 3;
  EXPECT_THAT([&] { complete(config, ""); }, ThrowsMessage<UsageError>("hidden_size 256 is not a multiple of heads 3"));
  const ErrorDetail detail = detail_of<UsageError>([&] { complete(config, ""); });
  EXPECT_EQ(detail.field, "hidden_size");
  EXPECT_EQ(detail.key, "") << "no file was read";
  config = preset_config("demo");
  config.heads = 256;
  std::get<RotaryPosition>(config.position).rotary.dim = 0;
  EXPECT_EQ(detail_of<UsageError>([&] { complete(config, ""); }).field, "hidden_size") << "the heads are of 1 element";
  config = preset_config("llama-100m");
  config.heads = 6;  // not all keys of the message are options, so it names keys
  EXPECT_THAT([&] { complete(config, ""); },
              ThrowsMessage<UsageError>("num_attention_heads 6 is not a multiple of num_key_value_heads 4"));
  EXPECT_THAT([&] { preset_config("huge"); }, ThrowsMessage<UsageError>(HasSubstr("'huge'; expected demo,")));
  EXPECT_EQ(detail_of<UsageError>([] { preset_config("huge"); }).field, "preset");
  ShapeOptions shape;
  shape.position = "none at all";
  EXPECT_EQ(detail_of<UsageError>([&] { shape.apply(ModelConfig()); }).field, "position");
}

TEST(ConfigTest, FileErrorsNameKeysAndPath) {
  const TempDirectory directory;
  const std::string path = directory / "config.json";
  const auto refused = [&](const Json& more) {
    Json json = minimal();
    json.update(more);
    write_file_atomically(path, dump_json(json));
    return detail_of<DataError>([&] { read_config(path); });
  };
  const auto key = [&](const Json& more) {
    const ErrorDetail detail = refused(more);
    EXPECT_EQ(detail.path, path) << detail.key;
    EXPECT_EQ(detail.field, "") << detail.key;
    return detail.key;
  };
  EXPECT_EQ(key({{"hidden_size", "wide"}}), "hidden_size");
  EXPECT_EQ(key({{"hidden_size", 0}}), "hidden_size");
  // Errors of position/ are translated to config.json's keys.
  const auto variant = [&](const Json& more) {
    Json json = {{"model_type", "roformer_variant"}};
    json.update(more);
    return key(json);
  };
  EXPECT_EQ(variant({{"rope_theta", 0.5}}), "rope_theta");
  EXPECT_EQ(variant({{"rotary_dim", 10}}), "rotary_dim");
  EXPECT_EQ(variant({{"rotary_dim", 7}}), "rotary_dim");
  EXPECT_EQ(variant({{"rotary_dim", 6}, {"rotary_grid_width", 4}}), "rotary_grid_width");
  EXPECT_EQ(variant({{"rope_scaling", {{"type", "linear"}, {"factor", -1}}}}), "factor");
  const Json many = {{"type", "yarn"}, {"factor", 2}, {"original_max_position_embeddings", 1 << 30}};
  EXPECT_EQ(variant({{"rope_scaling", many}}), "original_max_position_embeddings");
  const Json longrope = {{"type", "longrope"}, {"factor", 2}, {"short_factor", {1}}, {"long_factor", {1}}};
  EXPECT_EQ(variant({{"rope_scaling", longrope}}), "short_factor");
  EXPECT_EQ(variant({{"position_embedding_type", "t5"}, {"relative_attention_num_buckets", 3}}),
            "relative_attention_num_buckets");
  EXPECT_EQ(variant({{"position_embedding_type", "t5"}, {"relative_attention_max_distance", 1}}),
            "relative_attention_max_distance");
  // No key sets the rotary dimension here.
  EXPECT_EQ(variant({{"num_attention_heads", 12}, {"rope_scaling", {{"type", "ntk"}, {"factor", 2}}}}), "");
}

// The same value has different keys in other families.
TEST(ConfigTest, AFamilyHasItsOwnKeys) {
  const auto key = [](const char* type, const char* bad, const Json& value) {
    Json json = minimal();
    json["model_type"] = type;
    json["num_attention_heads"] = 6;
    json[bad] = value;
    return detail_of<DataError>([&] { read(json); }).key;
  };
  EXPECT_EQ(key("llama", "rms_norm_eps", 2), "rms_norm_eps");
  EXPECT_EQ(key("llama", "attention_dropout", 2), "attention_dropout");
  EXPECT_EQ(key("llama", "rope_theta", 0.5), "rope_theta");
  EXPECT_EQ(key("gpt_neox", "layer_norm_eps", 2), "layer_norm_eps");
  EXPECT_EQ(key("gpt_neox", "hidden_dropout", 2), "hidden_dropout");
  EXPECT_EQ(key("gpt_neox", "rotary_emb_base", 0.5), "") << "new files have it elsewhere";
}

TEST(ConfigTest, ShapeOptionsChangeWhatTheyName) {
  const ModelConfig base = preset_config("demo");
  ShapeOptions none;
  ModelConfig same = none.apply(base);
  complete(same, "");
  expect_equal(same, base);

  ShapeOptions options;
  options.hidden_size = 120;
  options.heads = 5;
  options.dropout = 0.25;
  ModelConfig changed = options.apply(base);
  complete(changed, "");
  EXPECT_EQ(changed.embedding, 120);
  EXPECT_EQ(changed.intermediate, 480);
  EXPECT_EQ(changed.hidden_dropout, 0.25);
  EXPECT_EQ(changed.attention_dropout, 0.25);
  EXPECT_EQ(std::get<RotaryPosition>(changed.position).rotary.dim, 24);
  options.embedding_size = 64;
  options.intermediate_size = 100;
  options.layers = 1;
  options.position = "sinusoidal";
  changed = options.apply(base);
  EXPECT_EQ(changed.embedding, 64);
  EXPECT_EQ(changed.intermediate, 100);
  EXPECT_EQ(changed.layers, 1);
  EXPECT_TRUE(std::holds_alternative<SinusoidalPosition>(changed.position));
  options.position = "absolute";
  EXPECT_THROW(options.apply(base), UsageError);
}

// pretrain --preset writes the keys that generate and transformers read.
TEST(ConfigTest, TheLlamaPresetIsALlama) {
  const ModelConfig config = preset_config("llama-100m");
  // Words (tied), and of 12 layers q and output, k and v, the gated network and two norms; the last norm.
  EXPECT_EQ(config.parameters(), 32000 * 768 + 12 * (2 * 768 * 768 + 2 * 256 * 768 + 3 * 768 * 2048 + 2 * 768) + 768);
  const Json json = write_config(config);
  EXPECT_EQ(json["model_type"], "llama");
  EXPECT_EQ(json["num_key_value_heads"], 4);
  const ModelConfig again = read(json);
  expect_equal(again, config);
  EXPECT_EQ(again.kv_heads, config.kv_heads);
  EXPECT_EQ(again.gated, config.gated);
  EXPECT_EQ(again.norms, config.norms);
}

}  // namespace
}  // namespace roformer
