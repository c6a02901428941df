// Backend: the kernels behind one interface, one virtual function each. `reference` is scalar and also runs in float64:
// the oracle. `cpu` uses SIMD and threads. Others are plug-ins (registry.h). A backend knows tensors and positions, not
// layers or the order of gradients: operators (ops/) check shapes, call it and record. Rejected: a kernel registry
// keyed by name and type; virtual functions are found by every tool and cannot be misspelled. One coarse entry point is
// for speed: fuse(), all layers of an inference-only encoder.
//
// Conventions. T tokens of a packed batch, H hidden size, matrices are [rows, columns] with a row stride, weights [out,
// in]. Gradients named d<x>. "Adds" means that the output must be initialized, "writes" that it need not be. Results
// depend on inputs and shapes only, never on the number of threads. Callers guarantee shapes; ids out of range are
// checked by ops.
#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "backend/profile.h"
#include "base/parallel.h"
#include "base/random.h"
#include "position/rerotation.h"
#include "position/rotary.h"
#include "position/xpos.h"
#include "tensor/tensor.h"

namespace roformer {

// gelu is the exact one, x·Φ(x), by erf; gelu_tanh the approximation x/2·(1 + tanh(√(2/π)·(x + 0.044715·x³))) of
// Hendrycks & Gimpel 2016; silu is x·σ(x).
enum class Activation { none, gelu, gelu_tanh, relu, silu, tanh };
enum class Pooling { cls, mean, max };
// What the weights of matrix products are rounded to: bfloat16, or (inference only) int8 with a scale per output, of
// decoders per 32 weights of an output, or int4 so (of decoders only). The type of the products is the backend's choice
// (Backend::number_types), for speed. Norms, softmax, losses and optimizer states are always float32.
enum class Precision { float32, bfloat16, int8, int4 };
Precision parse_precision(std::string_view name);  // UsageError for other names
const char* precision_name(Precision precision);   // "float32"

// cos and sin of the positions present in a batch, not a table of all positions; may include a factor
// (position/scaling.h, position/xpos.h).
struct RotaryAngles {
  RotaryLayout layout;
  int64_t dim;               // rotary dimension, at most the head's
  Tensor cos, sin;           // [distinct positions, dim / 2], the backend's real type
  std::vector<int32_t> row;  // [T] row of cos and sin for each token
};

// xPos scales queries and keys by different factors.
struct XPosAngles {
  RotaryAngles query, key;
};

// Score terms and relative keys/values of position encodings, by distance r = clip(key position − query position,
// ±clip), stored at row r + clip. Undefined tensors are skipped. No term materializes an S×S tensor.
//   score(i, j) = scale · (q_i·k_j + q_i·query_table[r] + k_j·key_table[r]) + bias[r, head];  out_i = Σ p_ij (v_j +
//   value_table[r])
// With fewer key heads than query heads, slices are those of the query heads. T5's and ALiBi's biases are `bias`;
// Shaw's keys and values are `query_table` and `value_table` (Eq. 5); Transformer-XL (Eq. 7) uses `query_table` and
// `bias`, DeBERTa (Eq. 10) `query_table` and `key_table`. Tables have a slice of columns per head, [2·clip + 1, H], or
// one shared by all heads, [2·clip + 1, head_dim].
struct RelativeTerms {
  int64_t clip = 0;
  std::span<const int32_t> query_positions, key_positions;  // [Tq], [Tk]
  Tensor bias;                                              // [2·clip + 1, heads]
  Tensor query_table, key_table, value_table;               // [2·clip + 1, H or head_dim]

  bool any() const { return bias.defined() || query_table.defined() || key_table.defined() || value_table.defined(); }
};

// Packed softmax attention: sequence s has queries query_offsets[s] … query_offsets[s+1]-1 and sees only the keys of
// its own range of key_offsets. Self-attention passes the same offsets twice.
struct AttentionSpec {
  int64_t heads = 1;  // of queries
  // Heads of keys and values; 0: as many as queries. Query head h attends to key head h / group() (Ainslie et al.
  // 2023).
  int64_t kv_heads = 0;
  double scale = 1;                                     // usually 1/√head_dim
  std::span<const int32_t> query_offsets, key_offsets;  // [sequences + 1]
  // [Tq], or empty: query t sees only the first key_ends[t] keys of its sequence. A query that sees none gives 0 and
  // gets no gradient. Limits need not increase.
  std::span<const int32_t> key_ends = {};
  // [Tq], or empty: query t does not see the first key_starts[t] keys of its sequence. It sees none if that reaches its
  // limit.
  std::span<const int32_t> key_starts = {};
  // Scores, with all their terms, become cap · tanh(score / cap) (Bello et al. 2017, Gemma 2); 0: uncapped.
  double score_cap = 0;
  Dropout dropout = {};  // of attention weights: row = head · Tq + query token, column = key index within its sequence
  RelativeTerms terms = {};

  int64_t key_heads() const { return kv_heads == 0 ? heads : kv_heads; }
  int64_t group() const { return heads / key_heads(); }
  int64_t key_head(int64_t head) const { return head / group(); }
  // The keys first … end − 1 of a sequence; none where first = end.
  struct KeyRange {
    int64_t first, end;
    int64_t count() const { return end - first; }
  };
  KeyRange visible_keys(int64_t query, int64_t keys) const {
    const int64_t end = key_ends.empty() ? keys : key_ends[static_cast<size_t>(query)];
    return {key_starts.empty() ? 0 : std::min<int64_t>(key_starts[static_cast<size_t>(query)], end), end};
  }
};

// Decoding: attention of new tokens over the cached keys and values of their sequences. The queries of sequence s see
// rows of keys[s] and values[s], [cached tokens, key_heads · dim] each; each key head serves heads / key_heads
// consecutive query heads.
struct CachedSpec {
  int64_t heads = 1, key_heads = 1;
  double scale = 1;
  std::span<const int32_t> query_offsets;    // [sequences + 1]
  std::span<const Tensor> keys, values;      // [sequences]
  std::span<const int32_t> key_ends;         // [Tq]: query t sees the first key_ends[t] rows
  std::span<const int32_t> key_starts = {};  // [Tq] or empty: except the first key_starts[t]
  double score_cap = 0;                      // as in AttentionSpec
  RelativeTerms terms = {};                  // key_positions: all rows of all sequences, concatenated
};

// The inputs of attention, or their gradients. [Tq, heads·d], [Tk, key_heads·d], [Tk, key_heads·e], where e is the head
// size of values, usually d. Usually column ranges of one projection.
struct AttentionTensors {
  Tensor q, k, v;
};

struct LossSum {
  double sum = 0;       // Σ −log p(label), in nats
  int64_t correct = 0;  // rows whose largest logit is the label
};

class Backend;

// A loss on the device, possibly still being computed: code that needs only the gradients does not wait for it.
class Loss {
 public:
  Loss(Backend& backend, Tensor sums) : backend_(&backend), sums_(std::move(sums)) {}
  Loss(Backend& backend, const LossSum& sums);
  LossSum read() const;  // waits for the backend

 private:
  Backend* backend_;
  Tensor sums_;  // [2], float64: the fields of LossSum
};

// Hyperparameters of an AdamW step (Loshchilov & Hutter 2019): decoupled weight decay, bias-corrected.
struct AdamWStep {
  int64_t step = 1;  // 1 for the first update
  double learning_rate = 0, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;
  double gradient_scale = 1;    // multiplies gradients beforehand (clipping)
  bool zero_gradients = false;  // afterwards, in the same pass
};

// A parameter with its gradient and moments, all of the same shape.
struct AdamWTensors {
  Tensor gradient, parameter, first_moment, second_moment;
  double weight_decay = 0;
};

// backend/linear_attention.h
struct LinearAttentionSpec;
struct LinearAttentionState;
// backend/layers.h
struct LayersConfig;
struct LayerWeights;
class FusedLayers;

// A weight [out, in] in the form that a backend's products read (Backend::prepare). Immutable.
class PreparedWeight {
 public:
  explicit PreparedWeight(const Shape& shape) : shape_(shape) {}
  virtual ~PreparedWeight() = default;
  PreparedWeight(const PreparedWeight&) = delete;
  PreparedWeight& operator=(const PreparedWeight&) = delete;
  const Shape& shape() const { return shape_; }
  virtual int64_t bytes() const = 0;  // of memory
  virtual bool finite() const = 0;    // whether all elements are

 private:
  Shape shape_;
};

// A weight of a product: its rows or, if there is one, the prepared weight, which takes precedence.
struct WeightView {
  WeightView(const Tensor& weight) : rows(weight) {}  // NOLINT(google-explicit-constructor)
  WeightView(const Tensor& weight, const PreparedWeight* made, bool is_constant)
      : rows(weight), prepared(made), constant(is_constant) {}

  Tensor rows;
  const PreparedWeight* prepared = nullptr;
  bool constant = false;  // not trained

  int64_t outputs() const { return prepared != nullptr ? prepared->shape()[0] : rows.dim(0); }
  int64_t inputs() const { return prepared != nullptr ? prepared->shape()[1] : rows.dim(1); }
};

// The typical size of a model's passes: a few tokens, many, or one of each text at a time, by a decoder.
enum class PassSize { few_tokens, many_tokens, decoding };

// The number types of a kind of operator, for display: "linear", "weights int8, activations int8 (AVX512_VNNI)".
struct NumberTypeUse {
  std::string what, with;
};

// What a cross-entropy is taken against. Smoothed (Szegedy et al. 2016), the target of a row is 1 − smoothing at its
// label and smoothing / V, with V words, at each word besides.
struct LabelSpec {
  std::span<const int32_t> labels;  // [N]
  double gradient_scale = 1;
  double smoothing = 0;  // in [0, 1)
  double logit_cap = 0;  // logits become cap · tanh(logit / cap) before the softmax (Gemma 2); 0: uncapped
};

class Backend {
 public:
  Backend() = default;
  virtual ~Backend() = default;
  Backend(const Backend&) = delete;
  Backend& operator=(const Backend&) = delete;
  virtual std::string_view name() const = 0;
  virtual DType real() const = 0;  // floating-point type of tensors: float32, or float64 (reference only)
  virtual ThreadPool& pool() = 0;
  virtual Precision precision() const { return Precision::float32; }
  virtual std::vector<NumberTypeUse> number_types() const { return {}; }
  // Whether linear, embedding and cross_entropy (without gradients) read weights of this type directly; others must be
  // converted to real().
  virtual bool reads_weights(DType dtype) const { return dtype == real(); }

  // The profile that kernels add their times to, or null; not owned. Must not be called while a kernel runs.
  void set_profile(Profile* profile) {
    profile_ = profile;
    pool().set_observer(profile);
  }
  Profile* profile() const { return profile_; }
  virtual MachinePeaks measure_peaks() { return {}; }  // takes a few seconds
  // Bytes per second at which all threads together read x once: the memory bandwidth, if x is larger than all caches. 0
  // if the backend does not measure it.
  virtual double read_rate(const Tensor&) { return 0; }

  // Memory. All tensors of kernels are on this device; ids, offsets and positions are on the host. Kernels may be
  // asynchronous.
  virtual Device device() const = 0;
  virtual Tensor empty(Shape shape, DType dtype) = 0;  // uninitialized
  Tensor empty(Shape shape) { return empty(shape, real()); }
  // Zeros of type real(), for long-lived tensors: pages need not be touched until they are written.
  virtual Tensor zeros(Shape shape);

  // Transfers between host and device; backends that compute on the host share its memory. A host tensor of any type on
  // the device: a copy, or x itself, which then stays mapped if it is part of a mapped file, and must not be written to
  // where others read it.
  virtual Tensor from_host(const Tensor& x) = 0;
  // x on the host, after all kernels so far: a copy, or x itself.
  virtual Tensor to_host(const Tensor& x) = 0;
  // `fill` writes every element of a host tensor shaped like x (x itself or a staging buffer), whose content x then
  // has.
  virtual void write(const Tensor& x, const std::function<void(const Tensor& host)>& fill) = 0;
  virtual void synchronize() = 0;  // waits for all kernels so far

  virtual void fill(const Tensor& x, double value) = 0;
  virtual void copy(const Tensor& from, const Tensor& to) = 0;
  virtual void add(const Tensor& x, const Tensor& y) = 0;            // y += x
  virtual double squared_norm(std::span<const Tensor> tensors) = 0;  // Σ x² over all of them, summed in double

  // out[t] = factor · table[ids[t]], added if `accumulate`; also gathers rows. Backward: dtable[ids[t]] += factor ·
  // dout[t], in order of t.
  virtual void embedding(const Tensor& table, std::span<const int32_t> ids, double factor, const Tensor& out,
                         bool accumulate) = 0;
  virtual void embedding_backward(const Tensor& dout, std::span<const int32_t> ids, double factor,
                                  const Tensor& dtable) = 0;

  // Prepares weights for inference. Each tensor is left as it is, replaced by rows of another type, or released, in
  // which case products take the returned weight. Products with a prepared weight equal those with its rows up to the
  // order of sums. The backend must outlive the results.
  virtual std::vector<std::shared_ptr<const PreparedWeight>> prepare(std::span<Tensor> weights, PassSize passes);

  // out = activation(x·Wᵀ + bias). `bias` may be undefined; `before` gets x·Wᵀ + bias unless undefined.
  virtual void linear(const Tensor& x, const WeightView& weight, const Tensor& bias, Activation activation,
                      const Tensor& out, const Tensor& before) = 0;
  virtual void linear_backward_input(const Tensor& dout, const Tensor& weight, const Tensor& dx, bool accumulate) = 0;
  // dweight += doutᵀ·x; dbias += column sums of dout (dbias may be undefined).
  virtual void linear_backward_weight(const Tensor& dout, const Tensor& x, const Tensor& dweight,
                                      const Tensor& dbias) = 0;
  // dbefore = dout · activation'(before); `out`, unless undefined, gets activation(before) again. dbefore may alias
  // dout, and out may alias before.
  virtual void activation_backward(Activation activation, const Tensor& before, const Tensor& dout,
                                   const Tensor& dbefore, const Tensor& out) = 0;

  // out = activation(gate) · x, element by element. `out` may alias either.
  virtual void gated(Activation activation, const Tensor& gate, const Tensor& x, const Tensor& out) = 0;
  // dgate = dout · x · activation'(gate); dx = dout · activation(gate); `out` gets the result of gated() again. Each of
  // the three outputs may alias any of the three inputs.
  virtual void gated_backward(Activation activation, const Tensor& gate, const Tensor& x, const Tensor& dout,
                              const Tensor& dgate, const Tensor& dx, const Tensor& out) = 0;

  // sum = residual + dropout(x); out = (sum − mean) / √(variance + epsilon) · gain + bias, by row. `residual` and
  // `bias` may be undefined. `statistics` [T, 2] gets mean and 1/√(variance + epsilon). `sum` may alias x; with x = the
  // `sum` of an earlier call, without residual and dropout, this reproduces its bits.
  virtual void layer_norm(const Tensor& x, const Tensor& residual, const Dropout& dropout, const Tensor& gain,
                          const Tensor& bias, double epsilon, const Tensor& sum, const Tensor& statistics,
                          const Tensor& out) = 0;
  // Writes dsum (the gradient of the residual), which may alias dout, and dx = dsum through the dropout; adds to dgain
  // and dbias. All but dsum may be undefined.
  virtual void layer_norm_backward(const Tensor& dout, const Tensor& sum, const Tensor& statistics, const Tensor& gain,
                                   const Dropout& dropout, const Tensor& dsum, const Tensor& dx, const Tensor& dgain,
                                   const Tensor& dbias) = 0;
  // Like layer_norm, without mean and bias: out = sum / √(mean(sum²) + epsilon) · gain (Zhang & Sennrich 2019). `gain`
  // may be undefined: 1. `statistics` [T, 1] gets 1/√(…).
  virtual void rms_norm(const Tensor& x, const Tensor& residual, const Dropout& dropout, const Tensor& gain,
                        double epsilon, const Tensor& sum, const Tensor& statistics, const Tensor& out) = 0;
  virtual void rms_norm_backward(const Tensor& dout, const Tensor& sum, const Tensor& statistics, const Tensor& gain,
                                 const Dropout& dropout, const Tensor& dsum, const Tensor& dx, const Tensor& dgain) = 0;
  // out = x · mask / (1 − probability). Row t of x uses row t of the mask. It is its own backward. May work in place.
  virtual void dropout(const Tensor& x, const Dropout& dropout, const Tensor& out) = 0;

  // cos and sin of the distinct positions; DataError for a position outside [0, 2^29]. `offsets` [sequences + 1]
  // delimit packed sequences: dynamic NTK and LongRoPE scale each by its own length, its largest position + 1. Without
  // offsets all positions belong to one sequence.
  RotaryAngles rotary_angles(const Rotary& rotary, std::span<const int32_t> positions,
                             std::span<const int32_t> offsets = {});
  // The same with explicit frequencies, one per pair (learned ones).
  RotaryAngles rotary_angles_of(const Rotary& rotary, std::span<const double> theta,
                                std::span<const int32_t> positions);
  XPosAngles xpos_angles(const Rotary& rotary, const XPos& xpos, std::span<const int32_t> positions,
                         std::span<const int32_t> offsets = {});
  // Angles with which rotate() moves keys from the positions `from` [T] to the positions `to` [T]: for cached keys
  // whose positions or frequencies change.
  RotaryAngles rerotation_angles(const Rerotation& rerotation, std::span<const int32_t> from,
                                 std::span<const int32_t> to);
  // Rotates every head of x [T, heads·head_dim] in place by its token's angles (Eq. 34), or back if `transposed`.
  virtual void rotate(const Tensor& x, int64_t heads, const RotaryAngles& angles, bool transposed) = 0;

  // dlogs[i] += Σ over tokens and heads of position · θ_i · ∂/∂angle, for angles position · θ with θ = exp(logs) [dim /
  // 2]. x [T, heads·head_dim] is rotated already, and dx is its gradient.
  virtual void rotary_frequencies_backward(const Tensor& x, const Tensor& dx, int64_t heads, const RotaryAngles& angles,
                                           std::span<const int32_t> positions, const Tensor& logs,
                                           const Tensor& dlogs) = 0;

  // Small kernels of position encodings. out[r, head] = factor · Σ_c table[r, c] · vector[c] over the head's columns c,
  // added if `accumulate`.
  virtual void head_products(const Tensor& table, const Tensor& vector, int64_t heads, double factor, const Tensor& out,
                             bool accumulate) = 0;
  virtual void head_products_backward(const Tensor& table, const Tensor& vector, int64_t heads, double factor,
                                      const Tensor& dout, const Tensor& dtable,
                                      const Tensor& dvector) = 0;  // adds to what is defined
  // KERPLE's bias (Chi et al. 2022): out [2·clip + 1, heads] = −exp(a) · log(1 + exp(b) · |r|), with logs [2, heads]: a
  // and b.
  virtual void kerple_bias(const Tensor& logs, const Tensor& out) = 0;
  virtual void kerple_bias_backward(const Tensor& logs, const Tensor& dout, const Tensor& dlogs) = 0;  // adds

  // out [Tq, heads·e]; log_sum_exp [heads, Tq] is saved for the backward. A query without keys gives 0.
  virtual void attention(const AttentionSpec& spec, const AttentionTensors& in, const Tensor& out,
                         const Tensor& log_sum_exp) = 0;
  // Writes dq, dk, dv; adds to the defined tensors of `dterms`.
  virtual void attention_backward(const AttentionSpec& spec, const AttentionTensors& in, const Tensor& out,
                                  const Tensor& log_sum_exp, const Tensor& dout, const AttentionTensors& gradients,
                                  const RelativeTerms& dterms) = 0;

  // q [Tq, heads · dim] → out [Tq, heads · value dim], written. The default calls attention() with contiguous copies of
  // the cache.
  virtual void cached_attention(const CachedSpec& spec, const Tensor& q, const Tensor& out);

  // Softmax cross-entropy of logits = hidden·Wᵀ + bias against labels, in chunks of rows: [N, V] is never stored.
  // Where dhidden is defined, writes it and adds to dweight and dbias (unless undefined), each times the gradient
  // scale.
  virtual Loss cross_entropy(const Tensor& hidden, const WeightView& weight, const Tensor& bias,
                             const LabelSpec& labels, const Tensor& dhidden, const Tensor& dweight,
                             const Tensor& dbias) = 0;

  // ln Σ exp of each row of x [N, V]. The default computes on the host.
  virtual std::vector<double> log_sum_exp(const Tensor& x);

  // All encoder layers of an inference-only model as one kernel; null if the backend has none, or if not all weights
  // were prepared for many tokens. The backend must outlive it.
  virtual std::unique_ptr<FusedLayers> fuse(const LayersConfig& config, std::span<const LayerWeights> layers);

  // x [T, H] → out [sequences, H], 0 for an empty sequence. max only: `argmax` [sequences, H], int32, gets the row in x
  // of each maximum (the first of equal ones, −1 for an empty sequence).
  virtual void pool(Pooling pooling, const Tensor& x, std::span<const int32_t> offsets, const Tensor& out,
                    const Tensor& argmax) = 0;
  virtual void pool_backward(Pooling pooling, const Tensor& dout, std::span<const int32_t> offsets,
                             const Tensor& argmax, const Tensor& dx) = 0;  // writes dx

  // One AdamW update of many parameters.
  virtual void adamw(const AdamWStep& step, std::span<const AdamWTensors> tensors) = 0;

  // Linear attention (Eq. 19): q, k [T, heads·head_dim], v and out [T, heads·value head_dim]; `denominators` [heads, T]
  // is saved for the backward. `state`, if defined, holds the past of each sequence and is updated with its tokens.
  virtual void linear_attention(const LinearAttentionSpec& spec, const AttentionTensors& in, const Tensor& out,
                                const Tensor& denominators, const LinearAttentionState& state) = 0;
  // Writes dq, dk, dv, for sequences that began without a state. If not causal, the state that the forward pass left
  // (from zeros) may be passed, which saves recomputing it.
  virtual void linear_attention_backward(const LinearAttentionSpec& spec, const AttentionTensors& in, const Tensor& out,
                                         const Tensor& denominators, const LinearAttentionState& state,
                                         const Tensor& dout, const AttentionTensors& gradients) = 0;

 private:
  Profile* profile_ = nullptr;
};

// `real` float64 is for gradient checks. The pool must outlive the backend.
std::unique_ptr<Backend> make_reference_backend(ThreadPool& pool, DType real = DType::float32);
// UsageError if ROFORMER_SIMD names an unknown instruction set or one that this CPU lacks.
std::unique_ptr<Backend> make_cpu_backend(ThreadPool& pool, Precision precision = Precision::float32);
// "cpu", "reference", or a plug-in's (backend/registry.h); UsageError for an unknown name or an unsupported precision.
std::unique_ptr<Backend> make_backend(std::string_view name, ThreadPool& pool,
                                      Precision precision = Precision::float32);

}  // namespace roformer
