#include "nn/encoder_layer.h"

namespace roformer {

EncoderLayer::EncoderLayer(Backend& backend, const EncoderLayerShape& shape, bool trainable)
    : shape_(shape),
      qkv_(backend, shape.hidden, 3 * shape.hidden, trainable),
      attention_output_(backend, shape.hidden, shape.hidden, trainable),
      attention_norm_(backend, shape.hidden, shape.norm_epsilon, trainable),
      intermediate_(backend, shape.hidden, shape.intermediate, trainable),
      output_(backend, shape.intermediate, shape.hidden, trainable),
      output_norm_(backend, shape.hidden, shape.norm_epsilon, trainable) {}

Value EncoderLayer::forward(const Context& context, const Value& x, const Batch& batch,
                            const AttentionPositions& positions, uint64_t place) const {
  const int64_t hidden = shape_.hidden;
  const AttentionOptions options{.heads = shape_.heads,
                                 .query_offsets = batch.offsets,
                                 .key_offsets = batch.offsets,
                                 .dropout = context.dropout(shape_.attention_dropout, place)};
  const Value qkv = qkv_.forward(context, x);
  const Columns q{qkv, 0, hidden}, k{qkv, hidden, hidden}, v{qkv, 2 * hidden, hidden};
  const Value mixed = attention_output_.forward(context, attention(context, options, q, k, v, positions));
  const Value attended = attention_norm_.forward(context, mixed, x, context.dropout(shape_.hidden_dropout, place + 1));

  const Value expanded = intermediate_.forward(context, attended, shape_.activation);
  const Value contracted = output_.forward(context, expanded);
  return output_norm_.forward(context, contracted, attended, context.dropout(shape_.hidden_dropout, place + 2));
}

void EncoderLayer::visit(const std::string& name, const ParameterVisitor& visitor) const {
  const char* parts[] = {"query", "key", "value"};
  for (int64_t i = 0; i < 3; ++i) {
    const std::string part = name + ".attention.self." + parts[i];
    visitor(part + ".weight", row_range(qkv_.weight, i * shape_.hidden, shape_.hidden), ParameterRole::weight);
    visitor(part + ".bias", row_range(qkv_.bias, i * shape_.hidden, shape_.hidden), ParameterRole::bias);
  }
  attention_output_.visit(name + ".attention.output.dense", visitor);
  attention_norm_.visit(name + ".attention.output.LayerNorm", visitor);
  intermediate_.visit(name + ".intermediate.dense", visitor);
  output_.visit(name + ".output.dense", visitor);
  output_norm_.visit(name + ".output.LayerNorm", visitor);
}

}  // namespace roformer
