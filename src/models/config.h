// ModelConfig: the hyperparameters of a model of any family, as in config.json (compatibility.md 3.1). models/ has the
// config, trunk and heads, and model files, but no training or inference loops. There is one config struct for all
// families; subclasses were rejected because values select what a trunk computes, and files do not respect class
// hierarchies.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "base/json.h"
#include "nn/attention_mask.h"
#include "nn/heads.h"
#include "nn/linear_attention.h"
#include "nn/positions.h"
#include "nn/transformer_layer.h"
#include "position/encoding.h"
#include "position/position_options.h"

namespace roformer {

// File format of a model family: models/families/family.h.
struct Family;
namespace families {
extern const Family roformer;
}

// none: the trunk alone.
enum class Head {
  none,
  masked_lm,
  causal_lm,
  sequence_classification,
  token_classification,
  question_answering,
  multiple_choice
};
const char* head_name(Head head);  // "masked language model"; "none"

// What a config is read as.
struct ModelKind {
  const Family* family = &families::roformer;
  Head head = Head::none;
  std::optional<int64_t> labels = {};  // rows of the file's classifier, for a config without a number of labels
};

// How the logits of a sequence-classification head are interpreted ("problem_type"). score: nothing is said and there
// is one label, which transformers' pipeline and sentence-transformers' cross-encoders take through a sigmoid.
enum class Problem { regression, single_label, multi_label, score };

AttentionMask parse_attention_mask(const std::string& name);  // all, causal, prefix; UsageError otherwise
const std::vector<std::string>& attention_mask_names();

// Cross-attention in transformers rotates neither queries nor keys ("none": false); JunnYu's package rotates the
// queries ("query": true); see compatibility.md 3.3.5. UsageError for other names.
bool parse_cross_rotation(const std::string& name);
// Whether an encoding can be applied to queries alone: only a plain rotation, as keys of cross-attention are not
// rotated.
bool can_rotate_cross_queries(const PositionEncoding& position);

struct ModelConfig {
  const Family* family = &families::roformer;
  int64_t vocabulary = 50000;
  int64_t embedding = 768;  // "embedding_size"; default: hidden_size
  int64_t hidden = 768;
  int64_t layers = 12;
  int64_t heads = 12;
  int64_t kv_heads = 0;   // "num_key_value_heads": a divisor of heads; 0: same as heads
  int64_t head_size = 0;  // of queries, keys and values; 0: hidden / heads
  int64_t intermediate = 3072;
  Activation activation = Activation::gelu;
  double hidden_dropout = 0.1;
  double attention_dropout = 0.1;
  int64_t max_positions = 1536;  // rows of a learned position table; no limit for rotary models
  int64_t segments = 2;          // "type_vocab_size"; 0 for Llama
  double initializer_range = 0.02;
  double norm_epsilon = 1e-12;
  NormKind norm = NormKind::layer;
  StackNorms norms = kPostNorms;
  std::vector<SublayerNorms> attention_norms = {};  // per layer, if different from norms.sublayer
  std::optional<NormConfig> query_key_norm = {};    // per head of q and k, before the rotation
  ParallelResidual parallel_residual = ParallelResidual::none;
  bool gated = false;  // the feed-forward network is down(activation(gate(x)) · up(x))
  bool biased = true;  // biases in attention and feed-forward; not in RoFormerV2
  std::optional<bool> attention_output_biased, feed_forward_biased;  // if different from `biased`
  int64_t pad_id = 0;
  std::optional<int64_t> bos_id;  // decoders: tokens that begin and end texts
  std::vector<int64_t> eos_ids;
  PositionEncoding position = RotaryPosition{};
  std::vector<Rotary> layer_rotary = {};  // per layer, if different from `position`; dim 0 as there
  AttentionMask attention_mask = AttentionMask::bidirectional;  // "is_decoder": causal
  std::vector<KeyWindow> windows = {};                          // one for all layers or one per layer; empty: unlimited
  double attention_scale = 0;                                   // of q·k; 0: 1/√head_dim
  double score_cap = 0, logit_cap = 0;  // soft caps cap · tanh(x / cap) of scores and logits; 0: none
  double embedding_scale = 1;           // multiplies the word embeddings
  // One kind for all layers or one per layer. Linear attention needs an input or rotary encoding and a bidirectional or
  // causal mask.
  std::vector<AttentionKind> attention = {AttentionKind::softmax};
  LinearSettings linear = {};
  // Of an encoder-decoder, whose decoder this config describes: its encoder, a trunk; null: there is none.
  std::shared_ptr<const ModelConfig> encoder = {};
  bool shared_words = false;          // the encoder looks up the decoder's word embeddings
  std::optional<int64_t> start_id;    // "decoder_start_token_id": what the decoder of an encoder-decoder reads first
  bool cross_attention = false;       // only in decoders
  bool rotate_cross_queries = false;  // see parse_cross_rotation

  Head head = Head::masked_lm;
  bool tied = true;  // the language-model head's output weights are tied to the word embeddings
  // Set by complete() according to the family: a dense layer, activation and norm before the language model's output,
  // with a bias per token; a dense layer before the output of sequence classification.
  bool head_transform = true, classifier_dense = false;
  bool output_bias = false;  // a bias per token also without head_transform
  // Not in config.json: load_model() detects the pooler by its tensors.
  bool pooler = false;
  // Not in config.json either: why load_model() uses no head, for messages.
  std::string missing_head = {};
  Activation pooler_activation = Activation::tanh;           // none: "linear", as in RoFormer-Sim
  std::vector<std::string> labels = {"LABEL_0", "LABEL_1"};  // of the classification heads, by index
  Problem problem = Problem::single_label;
  std::optional<double> classifier_dropout;  // BERT's heads; default: hidden_dropout
  Summary summary = Summary::last;           // RoFormer's multiple-choice head
  // This project's own: what the sequence classifier of a roformer_variant reads, with one dense layer.
  std::optional<Summary> classifier_pooling;
  std::optional<Activation> summary_projection;

  // What reads the input texts: the encoder of an encoder-decoder, else this.
  const ModelConfig& reader() const { return encoder == nullptr ? *this : *encoder; }
  NormConfig norm_config() const { return {norm, norm_epsilon}; }
  bool is_language_model() const { return head == Head::masked_lm || head == Head::causal_lm; }
  int64_t head_outputs() const;  // columns of the logits; 0 without a head
  int64_t head_dim() const { return head_size == 0 ? hidden / heads : head_size; }
  AttentionKind attention_of(int64_t layer) const {
    return attention[attention.size() == 1 ? 0 : static_cast<size_t>(layer)];
  }
  SublayerNorms attention_norms_of(int64_t layer) const {
    return attention_norms.empty() ? norms.sublayer : attention_norms[static_cast<size_t>(layer)];
  }
  KeyWindow window_of(int64_t layer) const {
    return windows.empty() ? KeyWindow() : windows[windows.size() == 1 ? 0 : static_cast<size_t>(layer)];
  }
  bool has_linear_attention() const;
  bool has_random_features() const;
  PositionsConfig positions_config() const;
  int64_t key_heads() const { return kv_heads == 0 ? heads : kv_heads; }
  // Elements of all parameters, without allocating any; tied weights count once, fixed tables that files hold do not.
  int64_t parameters() const;
};

// Checks ranges and consistency, fills in the rotary dimension (0 → head size), and normalizes values equal to the
// default (as many key heads as query heads, unlimited windows, the same value in all layers). `source` names the file;
// throws DataError, or UsageError if `source` is empty (settings from options).
void complete(ModelConfig& config, const std::string& source);

// Unknown keys are returned in `unknown`, for a warning. DataError for unsupported values that would change the result.
// The kind is that of "model_type" and the first of "architectures", which must agree: a RoFormer if there are none, a
// trunk if the second is unknown. With weights at hand decide_kind (models/model_kind.h) knows more.
ModelConfig read_config(const JsonObject& json, std::vector<std::string>* unknown = nullptr);
ModelConfig read_config(const JsonObject& json, const ModelKind& kind, std::vector<std::string>* unknown = nullptr);
ModelConfig read_config(const std::string& path, std::vector<std::string>* unknown = nullptr);
// To train from: DataError also for a key that this "model_type" ignores, as other programs do, but another of its
// family would take ("rope_theta": 500 of a plain "roformer").
// Unknown keys become a warning.
ModelConfig read_config_to_train(const std::string& path, std::vector<std::string>& warnings);
// The same check of the unknown keys of a config.json that was read.
void check_keys_to_train(const std::string& path, const ModelConfig& config, const std::vector<std::string>& unknown);
// The warning of unknown keys of a file.
std::string unknown_keys_warning(const std::string& file, const std::vector<std::string>& keys);

// In the family's format (models/families), readable by transformers. DataError for prefix attention, which the format
// cannot express.
Json write_config(const ModelConfig& config);

// User-facing shape options: a preset or another config, with overrides.
struct ShapeOptions {
  std::string preset = "demo";
  std::optional<int64_t> hidden_size, embedding_size, layers, heads, intermediate_size;
  std::optional<std::string> position;  // one of position_names()
  PositionOptions position_options;     // of `position`, or of the encoding that the base has
  std::vector<std::string> attention;  // of attention_names(), one for all layers or one per layer; empty: the preset's
  std::optional<std::string> attention_rotation;  // after or before
  std::optional<int64_t> favor_features, favor_redraw;
  std::optional<double> dropout;  // of hidden states and attention weights

  // `base` with the overrides; a new hidden size also sets the embedding size and an intermediate size of 4 times
  // itself; with fewer layers, settings of each are those of the first. The result still needs complete(). UsageError
  // for an unknown position, and for options of an encoding or a kind of attention that the result does not have.
  ModelConfig apply(ModelConfig base) const;

 private:
  void apply_attention(ModelConfig& config) const;
};

// demo, roformer-small, roformer-base, paper-mlm; causal (objective clm): paper-performer, llama-100m. UsageError for
// other names.
ModelConfig preset_config(const std::string& name);
const std::vector<std::string>& preset_names();

}  // namespace roformer
