// ModelConfig::parameters() against the constructed model.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <vector>

#include "models/config.h"
#include "models/model.h"

namespace roformer {
namespace {

// As written by transformers, without keys that have defaults.
Json minimal_json() {
  return Json{{"vocab_size", 50},
              {"hidden_size", 24},
              {"num_hidden_layers", 2},
              {"num_attention_heads", 3},
              {"intermediate_size", 40}};
}

ModelConfig config_of(Json json, const Json& more = Json::object()) {
  json.update(more);
  return read_config(JsonObject(json, "some/config.json"));
}

TEST(ParameterCountTest, EveryPosition) {
  ThreadPool pool(1);
  const auto backend = make_cpu_backend(pool);
  for (const std::string_view position : position_names()) {
    for (const int64_t embedding : {12, 24}) {
      for (const Head head : {Head::none, Head::masked_lm}) {
        ModelConfig config = config_of(minimal_json());
        config.embedding = embedding;
        config.position = parse_position(position);
        config.head = head;
        config.segments = 3;
        config.max_positions = 17;
        config.layers = embedding == 12 ? 0 : 2;
        complete(config, "");
        const Model model(*backend, config, false);
        int64_t sum = 0;
        for (const NamedParameter& named : model.parameters()) sum += named.parameter.value.elements();
        EXPECT_EQ(config.parameters(), sum) << position << ", " << embedding;
      }
    }
  }
}

TEST(ParameterCountTest, FamiliesAndHeads) {
  ThreadPool pool(1);
  const auto backend = make_cpu_backend(pool);
  const std::vector<Json> all = {
      {{"architectures", {"RoFormerForCausalLM"}},
       {"is_decoder", true},
       {"add_cross_attention", true},
       {"tie_word_embeddings", false}},
      {{"architectures", {"RoFormerForMaskedLM"}}, {"norm_type", "rms_norm"}, {"use_bias", false}},
      {{"architectures", {"RoFormerForMaskedLM"}}, {"norm_type", "rms_norm"}, {"rms_norm_scale", true}},
      {{"architectures", {"RoFormerForSequenceClassification"}}, {"num_labels", 5}},
      {{"architectures", {"RoFormerForMultipleChoice"}}, {"summary_use_proj", true}},
      {{"architectures", {"RoFormerForMultipleChoice"}}},
      {{"architectures", {"RoFormerForTokenClassification"}}},
      {{"architectures", {"BertForSequenceClassification"}}, {"num_labels", 3}},
      {{"architectures", {"BertForQuestionAnswering"}}},
  };
  for (const Json& more : all) {
    const ModelConfig config = config_of(minimal_json(), more);
    const Model model(*backend, config, false);
    int64_t sum = 0;
    for (const NamedParameter& named : model.parameters()) sum += named.parameter.value.elements();
    EXPECT_EQ(config.parameters(), sum) << more;
  }
}

// Published sizes, so that the formula and the model cannot be wrong together: bert-base-uncased with its head has
// 109,514,298 parameters, 512 · 768 of them positions that a rotary model does not have.
TEST(ParameterCountTest, APublishedShape) {
  EXPECT_EQ(preset_config("paper-mlm").parameters(), 109'514'298 - 512 * 768);
}

}  // namespace
}  // namespace roformer
