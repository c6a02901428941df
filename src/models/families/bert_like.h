// What BERT and RoFormer files have in common.
#pragma once

#include "models/families/family.h"

namespace roformer::bert_like {

inline constexpr TensorRule kTensors[] = {
    {"embeddings.words.weight", ".embeddings.word_embeddings.weight"},
    {"embeddings.segments.weight", ".embeddings.token_type_embeddings.weight"},
    {"embeddings.positions.weight", ".embeddings.position_embeddings.weight"},
    {"embeddings.norm.*", ".embeddings.LayerNorm.*"},
    {"embeddings.projection.*", ".embeddings_project.*"},
    // Encodings specific to this project.
    {"positions.rows.weight", ".encoder.position_rows.weight"},
    {"positions.rows_norm.*", ".encoder.position_rows.LayerNorm.*"},
    {"positions.query.weight", ".encoder.position_query.weight"},
    {"positions.key.weight", ".encoder.position_key.weight"},
    {"positions.bias.weight", ".encoder.relative_attention_bias.weight"},
    {"positions.u", ".encoder.r_w_bias"},
    {"positions.v", ".encoder.r_r_bias"},
    {"positions.log_frequencies", ".encoder.rotary_log_frequencies"},
    {"layers.*.attention.positions.keys.weight", ".encoder.layer.*.attention.self.relative_keys.weight"},
    {"layers.*.attention.positions.values.weight", ".encoder.layer.*.attention.self.relative_values.weight"},
    {"layers.*.attention.positions.distances.weight", ".encoder.layer.*.attention.self.r_net.weight"},
    {"layers.*.attention.positions.log_bias", ".encoder.layer.*.attention.self.log_bias"},
    {"layers.*.attention.query.*", ".encoder.layer.*.attention.self.query.*"},
    {"layers.*.attention.key.*", ".encoder.layer.*.attention.self.key.*"},
    {"layers.*.attention.value.*", ".encoder.layer.*.attention.self.value.*"},
    {"layers.*.attention.output.*", ".encoder.layer.*.attention.output.dense.*"},
    {"layers.*.attention.norm.*", ".encoder.layer.*.attention.output.LayerNorm.*"},
    {"layers.*.cross_attention.query.*", ".encoder.layer.*.crossattention.self.query.*"},
    {"layers.*.cross_attention.key.*", ".encoder.layer.*.crossattention.self.key.*"},
    {"layers.*.cross_attention.value.*", ".encoder.layer.*.crossattention.self.value.*"},
    {"layers.*.cross_attention.output.*", ".encoder.layer.*.crossattention.output.dense.*"},
    {"layers.*.cross_attention.norm.*", ".encoder.layer.*.crossattention.output.LayerNorm.*"},
    {"layers.*.feed_forward.up.*", ".encoder.layer.*.intermediate.dense.*"},
    {"layers.*.feed_forward.down.*", ".encoder.layer.*.output.dense.*"},
    {"layers.*.feed_forward.norm.*", ".encoder.layer.*.output.LayerNorm.*"},
    {"pooler.*", ".pooler.dense.*"},
    {"head.dense.*", "cls.predictions.transform.dense.*"},
    {"head.norm.*", "cls.predictions.transform.LayerNorm.*"},
    {"head.output.weight", "cls.predictions.decoder.weight"},
    {"head.bias", "cls.predictions.bias"},
    {"head.output.bias", "cls.predictions.decoder.bias"},
    {"answers.output.*", "qa_outputs.*"},
    {"labels.output.*", "classifier.*"},
    {"sequence_labels.dense.*", "classifier.dense.*"},
    {"sequence_labels.output.*", "classifier.out_proj.*"},
    {"choice.dense.*", "sequence_summary.summary.*"},
    {"choice.output.*", "classifier.*"},
};

// Old names of LayerNorm, and both names of the output bias.
inline constexpr Spelling kSpellings[] = {{"*LayerNorm.weight", "*LayerNorm.gamma", true},
                                          {"*LayerNorm.bias", "*LayerNorm.beta", true},
                                          {"cls.predictions.bias", "cls.predictions.decoder.bias"},
                                          {"cls.predictions.decoder.bias", "cls.predictions.bias"}};

// Position tables, which are computed here, other buffers, and heads used in pre-training only.
inline constexpr const char* kIgnored[] = {"*embed_positions.weight", "*position_ids", "cls.seq_relationship.*",
                                           "*rotary_emb.*", "*embeddings.token_type_ids"};
inline constexpr const char* kHeadTensors[] = {"cls.*", "classifier.*", "qa_outputs.*", "sequence_summary.*"};

// Keys of both families; sizes come first.
void size_keys(ConfigKeys& keys, ModelConfig& config, int64_t max_positions);
void head_keys(ConfigKeys& keys, ModelConfig& config);
// Ignored keys, and those that must be unset.
void other_keys(ConfigKeys& keys);

// DataError for settings of any family that would change the result and are not supported.
void refuse_unsupported(const JsonObject& json);

std::vector<std::string> numbered_labels(int64_t count);  // LABEL_0, LABEL_1, ...

// Rejects values that neither family's files can express.
void refuse_decoder_values(const ModelConfig& config, const std::string& source);

}  // namespace roformer::bert_like
