// Operators: differentiable functions. Each checks shapes (ShapeError, or DataError for ids out of range), calls the
// backend and records its backward on the context's tape. A closed set of fused operators with hand-written backwards:
// a general tensor framework would be slower and harder to read than the dozen functions an encoder needs. A result is
// tracked if and only if there is a tape and one of its inputs or parameters is tracked. A tape owns what it saves:
// arguments need not outlive the call. Operators that work in place consume their value.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <span>

#include "base/error.h"
#include "ops/context.h"
#include "ops/indices.h"
#include "ops/key_value_cache.h"
#include "tensor/tape.h"

namespace roformer {

// A learned tensor and the sum of its gradients over micro-batches. An undefined gradient means frozen. A layer's
// weight (or norm gain) and bias are frozen together.
struct Parameter {
  Tensor value;
  Tensor gradient;
  // Inference only: what products take (Backend::prepare), usually instead of `value`.
  std::shared_ptr<const PreparedWeight> prepared = nullptr;

  bool defined() const { return value.defined() || prepared != nullptr; }
  WeightView view() const { return {value, prepared.get(), !gradient.defined()}; }
};

// Σ over the lookups of factor · table[ids]: [T, E]. Tables [rows, E]; T ids each.
struct Lookup {
  Parameter table;
  Indices ids;
  const char* what;  // for errors: "token id"
  double factor = 1;
};
Value embedding(const Context& context, std::span<const Lookup> lookups);

// activation(x·Wᵀ + b): x [T, in], weight [out, in], bias [out] or undefined → [T, out].
Value linear(const Context& context, const Value& x, const Parameter& weight, const Parameter& bias,
             Activation activation = Activation::none);

// outer(activation(inner(x))), both linear as above: x [T, H] → [T, H′]. Saves the input of the activation, not its
// output: the backward recomputes that in the pass that it makes over the input anyway.
Value feed_forward(const Context& context, const Value& x, const Parameter& inner_weight, const Parameter& inner_bias,
                   Activation activation, const Parameter& outer_weight, const Parameter& outer_bias);

// down(activation(gate(x)) · up(x)), all three linear as above (Shazeer 2020; SwiGLU where the activation is silu): x
// [T, H] → [T, H′]. Saves the outputs of gate and up.
struct GatedWeights {
  Parameter gate_weight, gate_bias, up_weight, up_bias, down_weight, down_bias;
};
Value gated_feed_forward(const Context& context, const Value& x, Activation activation, const GatedWeights& weights);

// residual + dropout(x), in place in x. [T, E].
Value add_residual(const Context& context, Value&& x, const Value& residual, const Dropout& dropout);

// LayerNorm(residual + dropout(x)); `residual` may be an untracked empty Value, and `bias` undefined. [T, E].
Value layer_norm(const Context& context, const Value& x, const Value& residual, const Dropout& dropout,
                 const Parameter& gain, const Parameter& bias, double epsilon);

// RMS norm of residual + dropout(x): s / √(mean(s²) + epsilon) · gain; `gain` may be undefined: 1. [T, E].
Value rms_norm(const Context& context, const Value& x, const Value& residual, const Dropout& dropout,
               const Parameter& gain, double epsilon);

Value dropout(const Context& context, const Value& x, const Dropout& dropout);

// cap · tanh(x / cap), element by element: [N, V].
Value soft_cap(const Context& context, const Value& x, double cap);

// A column range of a projection: q, k or v. Move-only, and the projection is consumed, so operators may overwrite it.
struct Columns {
  Value value;
  int64_t begin = 0, count = 0;

  Columns() = default;
  explicit Columns(Value&& whole) : value(std::move(whole)), count(value.data.columns()) {}
  Columns(Columns&&) noexcept = default;
  Columns& operator=(Columns&&) noexcept = default;
  Columns(const Columns&) = delete;
  Columns& operator=(const Columns&) = delete;
  ~Columns() = default;

  Tensor data() const { return value.data.column_range(begin, count); }
};

// Splits the columns of a projection into consecutive ranges of `counts`.
template <size_t N>
std::array<Columns, N> split(Value&& projection, const std::array<int64_t, N>& counts) {
  const Value whole = std::move(projection);
  std::array<Columns, N> parts;
  int64_t begin = 0;
  for (size_t i = 0; i < N; ++i) {
    if (counts[i] < 0 || begin + counts[i] > whole.data.columns()) {
      throw ShapeError("split: columns {} to {} of {}", begin, begin + counts[i], whole.data.shape().to_string());
    }
    parts[i].value = whole;
    parts[i].begin = begin;
    parts[i].count = counts[i];
    begin += counts[i];
  }
  return parts;
}

// RelativeTerms (backend.h) whose tensors may have gradients.
struct RelativeValues {
  int64_t clip = 0;
  Indices query_positions, key_positions;
  Value bias, query_table, key_table, value_table;

  RelativeTerms data() const {
    return {clip, query_positions, key_positions, bias.data, query_table.data, key_table.data, value_table.data};
  }
};

// The position encoding as attention applies it: rotation, score terms, relative keys and values. Input encodings are
// added before. Null `query_angles` or `key_angles`: not rotated.
struct AttentionPositions {
  std::shared_ptr<const RotaryAngles> query_angles = {}, key_angles = {};
  bool rotate_values =
      false;  // "rotary_value" of RoFormer checkpoints: v is rotated like k, the output not rotated back
  // Learned frequencies: the angles are these positions times exp(log_frequencies) [dim / 2]. Otherwise undefined and
  // empty.
  Parameter log_frequencies = {};
  Indices rotary_positions = {};  // [T], of queries and keys
  RelativeValues terms = {};
};

struct AttentionOptions {
  int64_t heads = 1;
  int64_t kv_heads = 0;                // of keys and values, a divisor of heads; 0: heads
  double scale = 0;                    // 0: 1/√head_dim
  Indices query_offsets, key_offsets;  // cu_seqlens [sequences + 1]
  // [Tq], or empty: query t sees the first key_ends[t] keys of its sequence. Causal: 1, 2, … in each sequence. Also for
  // UniLM's prefix attention and for decoding with cached keys.
  Indices key_ends = {};
  // [Tq], or empty: query t does not see the first key_starts[t] keys of its sequence (windows).
  Indices key_starts = {};
  double score_cap = 0;  // scores become cap · tanh(score / cap); 0: uncapped
  Dropout dropout = {};  // of the attention weights
  // Decoding: keys and values are appended there, and queries see the whole cache; key_offsets, key_ends and the key
  // positions of relative terms include past keys. Nothing is recorded on a tape.
  std::optional<CachePass> cache = {};
};

// Packed softmax attention → [Tq, heads · value head_dim]; q has `heads` heads, k and v have kv_heads. Rotates q and k
// (and v) in place.
Value attention(const Context& context, const AttentionOptions& options, Columns q, Columns k, Columns v,
                const AttentionPositions& positions);

// The same on plain tensors: rotates in place, appends k and v to `options.cache`, writes `out`. k and v may have fewer
// heads than q.
void attention_with_cache(Backend& backend, const AttentionOptions& options, const AttentionTensors& in,
                          const AttentionPositions& positions, const Tensor& out);

// x + vector, in place in x: [T, H] and [H]. The vector gets a gradient only where x has one.
Columns add_vector(const Context& context, Columns x, const Parameter& vector);

// Concatenates x and y head by head: [T, H] and [T, H] → [T, 2H]. Scores of such queries and keys are the sums of both
// parts' scores (TUPE, Eq. 9).
Value concatenate_heads(const Context& context, const Columns& x, const Value& y, int64_t heads);

// Each head of x as a row: [T, heads · d] → [T · heads, d].
Value head_rows(const Context& context, const Columns& x, int64_t heads);

// The same elements in another shape.
Value reshaped(const Context& context, Value&& x, const Shape& shape);

// factor · table · (v − u), head by head: [R, H] → [R, heads] (Transformer-XL, Eq. 7).
Value head_products(const Context& context, const Value& table, const Parameter& u, const Parameter& v, int64_t heads,
                    double factor);

// KERPLE's bias by distance, from the logarithms of r1 and r2, [2, heads] → [2 · clip + 1, heads] (backend.h).
Value kerple_bias(const Context& context, const Parameter& logs, int64_t clip);

// compute(context, x), of which only x is kept for the backward pass, which computes it again. `compute` may refer to
// other Values, whose gradients it adds to; it must outlive the tape with all that it refers to, and give the same
// result each time. The same bits as compute(context, x).
using Computation = std::function<Value(const Context&, const Value&)>;
Value recomputed(const Context& context, const Value& x, Computation compute);

// Rows `rows` of x: [N, H]. Gradients of repeated rows add up.
Value gather_rows(const Context& context, const Value& x, const Indices& rows);

// [sequences, H] from [T, H].
Value pool(const Context& context, const Value& x, const Indices& offsets, Pooling pooling);

// Summed cross-entropy of softmax(hidden·Wᵀ + bias) against labels [N]. A root of the tape: the gradients are computed
// here, in the same pass, and scaled by the gradient scale (1 / global number of labels).
Loss cross_entropy(const Context& context, const Value& hidden, const Parameter& weight, const Parameter& bias,
                   const LabelSpec& spec);

// A loss computed on the host by a function of x [N, C], of few elements: logits or vectors of sequences. `loss`
// returns the sum, and fills the gradient of the scaled loss by x, which is zero at first and null if it is not asked
// for; both tensors are contiguous, of x's type, and valid only during the call. A root of the tape, like
// cross_entropy.
Loss host_loss(const Context& context, const Value& x,
               const std::function<LossSum(const Tensor& x_on_host, Tensor* gradient_on_host)>& loss);

}  // namespace roformer
