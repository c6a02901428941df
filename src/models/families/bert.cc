// BERT (Devlin et al. 2019), and sentence-embedding models of its shape: learned positions, a pooler under its
// classifiers.
#include "models/families/bert_like.h"

#include <nlohmann/json.hpp>

namespace roformer {

namespace {

constexpr std::string_view kTypes[] = {"bert"};
// The pre-training model's next-sentence head is skipped.
constexpr Architecture kArchitectures[] = {{"BertModel", Head::none},
                                           {"BertForMaskedLM", Head::masked_lm},
                                           {"BertForPreTraining", Head::masked_lm},
                                           {"BertLMHeadModel", Head::causal_lm},
                                           {"BertForSequenceClassification", Head::sequence_classification},
                                           {"BertForTokenClassification", Head::token_classification},
                                           {"BertForQuestionAnswering", Head::question_answering},
                                           {"BertForMultipleChoice", Head::multiple_choice}};
constexpr int64_t kMaxPositions = 512;  // BertConfig's default

void bert_keys(ConfigKeys& keys, ModelConfig& config) {
  bert_like::size_keys(keys, config, kMaxPositions);
  keys.others({"position_embedding_type"},
              [&](const JsonObject& json) {
                if (json.get_string("position_embedding_type", "absolute") != "absolute") {
                  json.reject("position_embedding_type", "\"absolute\"");
                }
                config.embedding = config.hidden;
                config.position = LearnedPosition{config.max_positions};
              },
              {});
  bert_like::head_keys(keys, config);
  keys.others(
      {"classifier_dropout"},
      [&](const JsonObject& json) {
        if (json.has("classifier_dropout")) config.classifier_dropout = json.get_double("classifier_dropout", {});
      },
      [&](Json& json) {
        json["model_type"] = "bert";
        if (config.classifier_dropout) json["classifier_dropout"] = *config.classifier_dropout;
      });
  keys.others({"pooler_activation"},
              [&](const JsonObject& json) {
                config.pooler_activation = parse_name(json, "pooler_activation", kActivations, "tanh");
              },
              {});
  keys.ignored({"embedding_size", "rotary_value", "summary_type", "summary_use_proj", "summary_activation",
                "summary_proj_to_labels"});
  bert_like::other_keys(keys);
}

void complete_bert(ModelConfig& config, const std::string& source) {
  if (!std::holds_alternative<LearnedPosition>(config.position)) {
    refuse_config(source, "a BERT has learned positions; another position encoding makes a roformer_variant");
  }
  if (config.embedding != config.hidden) {
    refuse_config(source, "{} {} is not {} {}, as a BERT's is", KeyName("embedding_size"), config.embedding,
                  KeyName("hidden_size"), config.hidden);
  }
  if (config.has_linear_attention()) {
    refuse_config(source, "a BERT has softmax attention; linear attention makes a roformer_variant");
  }
  bert_like::refuse_decoder_values(config, source);
  if (config.head == Head::sequence_classification || config.head == Head::multiple_choice) {
    config.pooler = true;
    config.summary = Summary::pooler;
  }
}

constexpr const char* kBertSigns[] = {"bert.*", "*.bert.*", "*embeddings.position_embeddings.weight"};

}  // namespace

constinit const Family families::bert{.name = "bert",
                                      .model_types = kTypes,
                                      .architectures = kArchitectures,
                                      .trunk = "bert",
                                      .signs = kBertSigns,
                                      .tensors = bert_like::kTensors,
                                      .spellings = bert_like::kSpellings,
                                      .ignored = bert_like::kIgnored,
                                      .head_tensors = bert_like::kHeadTensors,
                                      .keys = bert_keys,
                                      .complete = complete_bert,
                                      .any_positions = &families::roformer,
                                      .causal_setting = "is_decoder"};

}  // namespace roformer
