#include "nn/attention_block.h"

#include <array>
#include <utility>

namespace roformer {

namespace {

AttentionOptions options_of(const Context& context, const AttentionShape& shape, const AttentionInputs& inputs,
                            uint64_t place) {
  return {.heads = shape.heads,
          .kv_heads = shape.kv_heads,
          .scale = shape.scale,
          .query_offsets = inputs.query_offsets,
          .key_offsets = inputs.key_offsets,
          .key_ends = inputs.key_ends,
          .key_starts = inputs.key_starts,
          .score_cap = shape.score_cap,
          .dropout = context.dropout(shape.attention_dropout, place),
          .cache = inputs.cache};
}

std::vector<ParameterSource::Output> query_key_value(const AttentionShape& shape) {
  const int64_t keys = shape.positions_shape().key_width();
  return {{"query", shape.positions_shape().query_width()}, {"key", keys}, {"value", keys}};
}

// x with each of its heads normed.
Columns norm_heads(const Context& context, const NormLayer& norm, Columns x, int64_t heads) {
  const Shape flat{x.value.data.rows(), x.count};
  return Columns(reshaped(context, norm.forward(context, head_rows(context, x, heads)), flat));
}

}  // namespace

SelfAttention::SelfAttention(const Scope& scope, const AttentionShape& shape)
    : shape_(shape),
      qkv_(scope, query_key_value(shape), shape.hidden, shape.biased),
      positions_(scope / "positions", shape.positions_shape()),
      output_(scope / "output", shape.positions_shape().query_width(), shape.hidden,
              shape.output_biased.value_or(shape.biased)) {
  const PositionsShape positions = shape.positions_shape();
  if (shape.query_key_norm) {
    query_norm_.emplace(scope / "query_norm", positions.head_dim(), *shape.query_key_norm);
    key_norm_.emplace(scope / "key_norm", positions.head_dim(), *shape.query_key_norm);
  }
  if (shape.kind == AttentionKind::softmax) return;
  linear_.emplace(LinearShape{shape.kind, shape.linear, positions.query_width(), shape.heads, shape.layer});
}

Value SelfAttention::forward(const Context& context, const Value& x, const AttentionInputs& inputs,
                             uint64_t place) const {
  Value projected = qkv_.forward(context, x);
  static const SharedPositions kNone{};
  const SharedPositions& positions = inputs.positions != nullptr ? *inputs.positions : kNone;
  if (linear_) return output_.forward(context, attend_linear(context, std::move(projected), inputs, positions));
  const PositionsShape shape = shape_.positions_shape();
  const int64_t keys = shape.key_width();
  std::array<Columns, 3> qkv = split<3>(std::move(projected), {shape.query_width(), keys, keys});
  if (query_norm_) {
    qkv[0] = norm_heads(context, *query_norm_, std::move(qkv[0]), shape.heads);
    qkv[1] = norm_heads(context, *key_norm_, std::move(qkv[1]), keys / shape.head_dim());
  }
  const AttentionOptions options = options_of(context, shape_, inputs, place);
  return output_.forward(context, positions_.attend(context, options, std::move(qkv), qkv_, positions));
}

Value SelfAttention::attend_linear(const Context& context, Value&& qkv, const AttentionInputs& inputs,
                                   const SharedPositions& positions) const {
  const bool causal = !inputs.key_ends.empty();
  if (!inputs.cache) return linear_->attend(context, std::move(qkv), inputs.query_offsets, causal, positions);
  LinearAttentionState& state = inputs.cache->cache->linear;
  if (!state.defined()) state = linear_->start(context.backend, std::ssize(inputs.query_offsets) - 1);
  return linear_->attend(context, std::move(qkv), inputs.query_offsets, causal, positions, state);
}

void SelfAttention::linear_weights(std::vector<Parameter*>& weights) {
  // DeBERTa's positions go through rows of it.
  if (!std::holds_alternative<DebertaPosition>(shape_.position)) weights.push_back(&qkv_.weight);
  weights.push_back(&output_.weight);
}

void SelfAttention::weights(LayerWeights& weights) const {
  weights.qkv = {qkv_.weight.prepared, qkv_.bias.value};
  weights.attention_output = {output_.weight.prepared, output_.bias.value};
}

CrossAttention::CrossAttention(const Scope& scope, const AttentionShape& shape)
    : shape_(shape),
      query_(scope / "query", shape.hidden, shape.positions_shape().query_width(), shape.biased),
      key_value_(scope,
                 std::vector<ParameterSource::Output>{{"key", shape.positions_shape().query_width()},
                                                      {"value", shape.positions_shape().query_width()}},
                 shape.hidden, shape.biased),
      output_(scope / "output", shape.positions_shape().query_width(), shape.hidden, shape.biased) {
  shape_.kv_heads = 0;  // as many as queries
}

void CrossAttention::linear_weights(std::vector<Parameter*>& weights) {
  for (LinearLayer* layer : {&query_, &key_value_, &output_}) weights.push_back(&layer->weight);
}

Value CrossAttention::forward(const Context& context, const Value& x, const Value& memory,
                              const AttentionInputs& inputs, uint64_t place) const {
  const int64_t width = shape_.positions_shape().query_width();
  const AttentionOptions options = options_of(context, shape_, inputs, place);
  auto [k, v] = split<2>(key_value_.forward(context, memory), {width, width});
  const AttentionPositions positions{.query_angles = inputs.query_angles};
  return output_.forward(
      context, attention(context, options, Columns(query_.forward(context, x)), std::move(k), std::move(v), positions));
}

}  // namespace roformer
