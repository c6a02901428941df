#include "nn/encoder_layer.h"

namespace roformer {

EncoderLayer::EncoderLayer(Backend& backend, const EncoderLayerShape& shape, bool trainable)
    : shape_(shape),
      attention_(backend, shape.attention, trainable),
      intermediate_(backend, shape.attention.hidden, shape.intermediate, trainable, shape.attention.biased),
      output_(backend, shape.intermediate, shape.attention.hidden, trainable, shape.attention.biased),
      output_norm_(backend, shape.attention.hidden, shape.attention.norm, trainable) {
  if (shape.cross_attention) cross_attention_.emplace(backend, shape.attention, trainable);
}

Value EncoderLayer::forward(const Context& context, const Value& x, const AttentionInputs& inputs, uint64_t place,
                            const LayerMemory* memory) const {
  Value attended = attention_.forward(context, x, inputs, place);
  if (cross_attention_ && memory != nullptr) {
    attended = cross_attention_->forward(context, attended, memory->hidden, memory->inputs, place + 3);
  }
  const Value contracted = feed_forward(context, attended, intermediate_.weight, intermediate_.bias, shape_.activation,
                                        output_.weight, output_.bias);
  return output_norm_.forward(context, contracted, attended,
                              context.dropout(shape_.attention.hidden_dropout, place + 2));
}

void EncoderLayer::visit(const std::string& name, const ParameterVisitor& visitor) {
  attention_.visit(name + ".attention", visitor);
  if (cross_attention_) cross_attention_->visit(name + ".crossattention", visitor);
  intermediate_.visit(name + ".intermediate.dense", visitor);
  output_.visit(name + ".output.dense", visitor);
  output_norm_.visit(name + ".output.LayerNorm", visitor);
}

LayerWeights EncoderLayer::weights() const {
  LayerWeights weights;
  attention_.weights(weights);
  weights.intermediate = {intermediate_.weight.value, intermediate_.bias.value};
  weights.output = {output_.weight.value, output_.bias.value};
  weights.output_norm = {output_norm_.gain.value, output_norm_.bias.value};
  return weights;
}

}  // namespace roformer
