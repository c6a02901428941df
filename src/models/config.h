// ModelConfig: the shape of a RoFormer, a BERT or a Llama, as config.json says it (compatibility.md 3.1). models/ knows
// what a model is: its config, its trunk and heads, its files. It knows no training loop and no task. One config struct
// for all; sub-classes a family were rejected, because a trunk is chosen by values, and files do not respect class
// hierarchies.
#pragma once

#include <cstdint>
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

// Whose files it comes from and goes to: models/families/family.h.
struct Family;
namespace families {
extern const Family roformer;
}

// What `architectures[0]` names; none: the trunk alone.
enum class Head {
  none,
  masked_lm,
  causal_lm,
  sequence_classification,
  token_classification,
  question_answering,
  multiple_choice
};

// What the scores of a sequence-classification head mean ("problem_type").
enum class Problem { regression, single_label, multi_label };

AttentionMask parse_attention_mask(const std::string& name);  // all, causal, prefix; UsageError otherwise
const std::vector<std::string>& attention_mask_names();

// Cross-attention in transformers rotates neither side (none: false); JunnYu's package rotates the queries (query:
// true), see compatibility.md 3.3.5. UsageError for other words.
bool parse_cross_rotation(const std::string& name);
// Keys of cross-attention are not rotated, so only a rotation that is nothing else can be the queries' alone.
bool can_rotate_cross_queries(const PositionEncoding& position);

struct ModelConfig {
  const Family* family = &families::roformer;
  int64_t vocabulary = 50000;
  int64_t embedding = 768;  // "embedding_size"; hidden_size where the file has none
  int64_t hidden = 768;
  int64_t layers = 12;
  int64_t heads = 12;
  int64_t kv_heads = 0;   // "num_key_value_heads", of keys and values: a divisor of heads; 0: as many
  int64_t head_size = 0;  // of queries, keys and values; 0: hidden / heads
  int64_t intermediate = 3072;
  Activation activation = Activation::gelu;
  double hidden_dropout = 0.1;
  double attention_dropout = 0.1;
  int64_t max_positions = 1536;  // rows of a learned position table; a rotary model takes any length
  int64_t segments = 2;          // "type_vocab_size"; a Llama has none
  double initializer_range = 0.02;
  double norm_epsilon = 1e-12;
  NormKind norm = NormKind::layer;
  StackNorms norms = kPostNorms;
  std::vector<SublayerNorms> attention_norms = {};  // of each layer, where the attention's are not norms.sublayer
  std::optional<NormShape> query_key_norm = {};     // of each head of q and k, before they are rotated
  ParallelResidual parallel_residual = ParallelResidual::none;
  bool gated = false;  // the feed-forward network is down(activation(gate(x)) · up(x))
  bool biased = true;  // attention and feed-forward networks; RoFormerV2's are not
  std::optional<bool> attention_output_biased, feed_forward_biased;  // where they are not as `biased`
  int64_t pad_id = 0;
  std::optional<int64_t> bos_id;  // of a Llama: what its texts begin and end with
  std::vector<int64_t> eos_ids;
  PositionEncoding position = RotaryPosition{};
  std::vector<Rotary> layer_rotary = {};  // of each layer, where it is not that of `position`; dim 0 as there
  AttentionMask attention_mask = AttentionMask::bidirectional;  // "is_decoder": causal
  std::vector<KeyWindow> windows = {};  // one for all layers, or one for each; none: all that `attention_mask` lets see
  double attention_scale = 0;           // of q·k; 0: 1/√head size
  double score_cap = 0, logit_cap = 0;  // scores and logits become cap · tanh(x / cap); 0: as they are
  double embedding_scale = 1;           // multiplies the word embeddings
  // One kind for all layers, or one for each. Linear attention goes with encodings that are added to the input or
  // rotate, and sees all tokens or those before.
  std::vector<AttentionKind> attention = {AttentionKind::softmax};
  LinearSettings linear = {};
  bool cross_attention = false;       // only in decoders
  bool rotate_cross_queries = false;  // see parse_cross_rotation

  Head head = Head::masked_lm;
  bool tied = true;  // the language-model head's output weights are the word embeddings
  // Set by complete(), as the family has them: a dense layer, activation and norm before the language model's output,
  // and a bias for each token; a dense layer before the output of sequence classification.
  bool head_transform = true, classifier_dense = false;
  // config.json does not say whether there is a pooler: load_model() looks for its tensors.
  bool pooler = false;
  Activation pooler_activation = Activation::tanh;           // none: RoFormer-Sim's "linear"
  std::vector<std::string> labels = {"LABEL_0", "LABEL_1"};  // of the classification heads, by index
  Problem problem = Problem::single_label;
  std::optional<double> classifier_dropout;  // of BERT's heads; none: hidden_dropout
  Summary summary = Summary::last;           // of RoFormer's multiple choice
  std::optional<Activation> summary_projection;

  NormShape norm_shape() const { return {norm, norm_epsilon}; }
  bool is_language_model() const { return head == Head::masked_lm || head == Head::causal_lm; }
  int64_t head_outputs() const;  // columns of the head's scores; 0 without a head
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
  PositionsShape positions_shape() const;
  int64_t key_heads() const { return kv_heads == 0 ? heads : kv_heads; }
  // Numbers in all parameters, without allocating any; tied weights count once, fixed tables that files hold not at
  // all.
  int64_t parameters() const;
};

// Checks ranges and that the parts fit each other; completes the rotary dimension (0 → head size), and writes values
// that say the default (as many heads of keys as of queries, a window that holds all, the same for all layers) as that.
// `source` names the file; the error is a DataError, or a UsageError where `source` is empty (the settings came from
// options).
void complete(ModelConfig& config, const std::string& source);

// Keys that are not understood are returned in `unknown`, for a warning. DataError for values that change the result
// and that this program does not have.
ModelConfig read_config(const JsonObject& json, std::vector<std::string>* unknown = nullptr);
ModelConfig read_config(const std::string& path, std::vector<std::string>* unknown = nullptr);

// As the config's family has it (models/families), for transformers to read. DataError for prefix attention, which no
// such file can say.
Json write_config(const ModelConfig& config);

// A shape as people give it: a preset or another config, and what differs from it.
struct ShapeOptions {
  std::string preset = "demo";
  std::optional<int64_t> hidden_size, embedding_size, layers, heads, intermediate_size;
  std::optional<std::string> position;  // one of position_names()
  PositionOptions position_options;     // of `position`, or of the encoding that the base has
  std::vector<std::string> attention;   // of attention_names(), one for all layers or one for each; empty: the preset's
  std::optional<std::string> attention_rotation;  // after or before
  std::optional<int64_t> favor_features, favor_redraw;
  std::optional<double> dropout;  // of hidden states and attention weights

  bool any() const;  // besides preset and dropout
  // `base` with the differences; a new hidden size brings its embedding size and 4 times itself as intermediate size.
  // Not yet complete(). UsageError for an unknown position, and for options of an encoding or a kind of attention that
  // the result does not have.
  ModelConfig apply(ModelConfig base) const;

 private:
  void apply_attention(ModelConfig& config) const;
};

// demo, roformer-small, roformer-base, paper-mlm; causal (objective clm): paper-performer, llama-100m. UsageError for
// others.
ModelConfig preset_config(const std::string& name);
const std::vector<std::string>& preset_names();

}  // namespace roformer
