#include "nn/attention_block.h"

namespace roformer {

namespace {

AttentionOptions options_of(const Context& context, const AttentionShape& shape, const AttentionInputs& inputs,
                            uint64_t place) {
  return {.heads = shape.heads,
          .kv_heads = shape.kv_heads,
          .query_offsets = inputs.query_offsets,
          .key_offsets = inputs.key_offsets,
          .key_limits = inputs.key_limits,
          .dropout = context.dropout(shape.attention_dropout, place),
          .cache = inputs.cache};
}

std::vector<ParameterSource::Output> query_key_value(const AttentionShape& shape) {
  const int64_t keys = shape.positions_shape().key_width();
  return {{"query", shape.hidden}, {"key", keys}, {"value", keys}};
}

}  // namespace

SelfAttention::SelfAttention(const Scope& scope, const AttentionShape& shape)
    : shape_(shape),
      qkv_(scope, query_key_value(shape), shape.hidden, shape.biased),
      positions_(scope / "positions", shape.positions_shape()),
      output_(scope / "output", shape.hidden, shape.hidden, shape.output_biased.value_or(shape.biased)),
      norm_{shape.placement, NormLayer(scope / "norm", shape.hidden, shape.norm)} {
  if (shape.kind == AttentionKind::softmax) return;
  linear_.emplace(LinearShape{shape.kind, shape.linear, shape.hidden, shape.heads, shape.layer});
}

Value SelfAttention::forward(const Context& context, const Value& x, const AttentionInputs& inputs,
                             uint64_t place) const {
  const AttentionOptions options = options_of(context, shape_, inputs, place);
  Value qkv = qkv_.forward(context, norm_.enter(context, x));
  static const SharedPositions kNone{};
  const SharedPositions& positions = inputs.positions != nullptr ? *inputs.positions : kNone;
  const Value attended = linear_ ? attend_linear(context, std::move(qkv), inputs, positions)
                                 : positions_.attend(context, options, std::move(qkv), qkv_, positions);
  return norm_.leave(context, output_.forward(context, attended), x, context.dropout(shape_.hidden_dropout, place + 1));
}

Value SelfAttention::attend_linear(const Context& context, Value&& qkv, const AttentionInputs& inputs,
                                   const SharedPositions& positions) const {
  const bool causal = !inputs.key_limits.empty();
  if (inputs.cache == nullptr) return linear_->attend(context, std::move(qkv), inputs.query_offsets, causal, positions);
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
  weights.attention_norm = {norm_.norm.gain.value, norm_.norm.bias.value};
}

CrossAttention::CrossAttention(const Scope& scope, const AttentionShape& shape)
    : shape_(shape),
      query_(scope / "query", shape.hidden, shape.hidden, shape.biased),
      key_value_(scope, std::vector<ParameterSource::Output>{{"key", shape.hidden}, {"value", shape.hidden}},
                 shape.hidden, shape.biased),
      output_(scope / "output", shape.hidden, shape.hidden, shape.biased),
      norm_(scope / "norm", shape.hidden, shape.norm) {}

void CrossAttention::linear_weights(std::vector<Parameter*>& weights) {
  for (LinearLayer* layer : {&query_, &key_value_, &output_}) weights.push_back(&layer->weight);
}

Value CrossAttention::forward(const Context& context, const Value& x, const Value& memory,
                              const AttentionInputs& inputs, uint64_t place) const {
  const int64_t hidden = shape_.hidden;
  const AttentionOptions options = options_of(context, shape_, inputs, place);
  auto [k, v] = split<2>(key_value_.forward(context, memory), {hidden, hidden});
  const AttentionPositions positions{.query_angles = inputs.query_angles};
  const Value mixed = output_.forward(
      context, attention(context, options, Columns(query_.forward(context, x)), std::move(k), std::move(v), positions));
  return norm_.forward(context, mixed, x, context.dropout(shape_.hidden_dropout, place + 1));
}

}  // namespace roformer
