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

}  // namespace

SelfAttention::SelfAttention(Backend& backend, const AttentionShape& shape, bool trainable)
    : shape_(shape),
      qkv_(backend, shape.hidden, shape.hidden + 2 * shape.positions_shape().key_width(), trainable, shape.biased),
      positions_(backend, shape.positions_shape(), trainable),
      output_(backend, shape.hidden, shape.hidden, trainable, shape.output_biased.value_or(shape.biased)),
      norm_{shape.placement, NormLayer(backend, shape.hidden, shape.norm, trainable)} {
  if (shape.kind == AttentionKind::softmax) return;
  linear_.emplace(LinearShape{shape.kind, shape.linear, shape.hidden, shape.heads, shape.layer});
}

Value SelfAttention::forward(const Context& context, const Value& x, const AttentionInputs& inputs,
                             uint64_t place) const {
  const AttentionOptions options = options_of(context, shape_, inputs, place);
  const Value qkv = qkv_.forward(context, norm_.enter(context, x));
  static const SharedPositions kNone{};
  const SharedPositions& positions = inputs.positions != nullptr ? *inputs.positions : kNone;
  const Value attended = linear_ ? attend_linear(context, qkv, inputs, positions)
                                 : positions_.attend(context, options, qkv, qkv_, positions);
  const Value mixed = output_.forward(context, attended);
  return norm_.leave(context, mixed, x, context.dropout(shape_.hidden_dropout, place + 1));
}

Value SelfAttention::attend_linear(const Context& context, const Value& qkv, const AttentionInputs& inputs,
                                   const SharedPositions& positions) const {
  const bool causal = !inputs.key_limits.empty();
  if (inputs.cache == nullptr) return linear_->attend(context, qkv, inputs.query_offsets, causal, positions);
  LinearAttentionState& state = inputs.cache->cache->linear;
  if (!state.defined()) state = linear_->start(context.backend, std::ssize(inputs.query_offsets) - 1);
  return linear_->attend(context, qkv, inputs.query_offsets, causal, positions, state);
}

void SelfAttention::visit(const std::string& name, const ParameterVisitor& visitor) {
  const int64_t hidden = shape_.hidden, keys = shape_.positions_shape().key_width();
  qkv_.visit_rows(name + ".self.query", 0, hidden, visitor);
  qkv_.visit_rows(name + ".self.key", hidden, keys, visitor);
  qkv_.visit_rows(name + ".self.value", hidden + keys, keys, visitor);
  positions_.visit(name + ".self", visitor);
  output_.visit(name + ".output.dense", visitor);
  norm_.norm.visit(name + ".output.LayerNorm", visitor);
}

void SelfAttention::weights(LayerWeights& weights) const {
  weights.qkv = {qkv_.weight.value, qkv_.bias.value};
  weights.attention_output = {output_.weight.value, output_.bias.value};
  weights.attention_norm = {norm_.norm.gain.value, norm_.norm.bias.value};
}

CrossAttention::CrossAttention(Backend& backend, const AttentionShape& shape, bool trainable)
    : shape_(shape),
      query_(backend, shape.hidden, shape.hidden, trainable, shape.biased),
      key_value_(backend, shape.hidden, 2 * shape.hidden, trainable, shape.biased),
      output_(backend, shape.hidden, shape.hidden, trainable, shape.biased),
      norm_(backend, shape.hidden, shape.norm, trainable) {}

Value CrossAttention::forward(const Context& context, const Value& x, const Value& memory,
                              const AttentionInputs& inputs, uint64_t place) const {
  const int64_t hidden = shape_.hidden;
  const AttentionOptions options = options_of(context, shape_, inputs, place);
  const Value query = query_.forward(context, x), key_value = key_value_.forward(context, memory);
  const Columns q{query, 0, hidden}, k{key_value, 0, hidden}, v{key_value, hidden, hidden};
  const AttentionPositions positions{.query_angles = inputs.query_angles};
  const Value mixed = output_.forward(context, attention(context, options, q, k, v, positions));
  return norm_.forward(context, mixed, x, context.dropout(shape_.hidden_dropout, place + 1));
}

void CrossAttention::visit(const std::string& name, const ParameterVisitor& visitor) {
  const int64_t hidden = shape_.hidden;
  query_.visit(name + ".self.query", visitor);
  key_value_.visit_rows(name + ".self.key", 0, hidden, visitor);
  key_value_.visit_rows(name + ".self.value", hidden, hidden, visitor);
  output_.visit(name + ".output.dense", visitor);
  norm_.visit(name + ".output.LayerNorm", visitor);
}

}  // namespace roformer
