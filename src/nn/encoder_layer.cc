#include "nn/encoder_layer.h"

namespace roformer {

namespace {

bool feed_forward_biased(const EncoderLayerShape& shape) {
  return shape.feed_forward_biased.value_or(shape.attention.biased);
}

}  // namespace

EncoderLayer::EncoderLayer(Backend& backend, const EncoderLayerShape& shape, bool trainable)
    : shape_(shape),
      attention_(backend, shape.attention, trainable),
      intermediate_(backend, shape.attention.hidden, shape.intermediate, trainable, feed_forward_biased(shape)),
      output_(backend, shape.intermediate, shape.attention.hidden, trainable, feed_forward_biased(shape)),
      output_norm_{shape.attention.placement,
                   NormLayer(backend, shape.attention.hidden, shape.attention.norm, trainable)} {
  if (shape.cross_attention) cross_attention_.emplace(backend, shape.attention, trainable);
  if (shape.gated) {
    gate_.emplace(backend, shape.attention.hidden, shape.intermediate, trainable, feed_forward_biased(shape));
  }
}

Value EncoderLayer::forward(const Context& context, const Value& x, const AttentionInputs& inputs, uint64_t place,
                            const LayerMemory* memory) const {
  Value attended = attention_.forward(context, x, inputs, place);
  if (cross_attention_ && memory != nullptr) {
    attended = cross_attention_->forward(context, attended, memory->hidden, memory->inputs, place + 3);
  }
  const Value contracted = expand_and_contract(context, output_norm_.enter(context, attended));
  return output_norm_.leave(context, contracted, attended, context.dropout(shape_.attention.hidden_dropout, place + 2));
}

Value EncoderLayer::expand_and_contract(const Context& context, const Value& x) const {
  if (gate_) {
    return gated_feed_forward(
        context, x, shape_.activation,
        {gate_->weight, gate_->bias, intermediate_.weight, intermediate_.bias, output_.weight, output_.bias});
  }
  return feed_forward(context, x, intermediate_.weight, intermediate_.bias, shape_.activation, output_.weight,
                      output_.bias);
}

void EncoderLayer::visit(const std::string& name, const ParameterVisitor& visitor) {
  attention_.visit(name + ".attention", visitor);
  if (cross_attention_) cross_attention_->visit(name + ".crossattention", visitor);
  if (gate_) gate_->visit(name + ".gate.dense", visitor);
  intermediate_.visit(name + ".intermediate.dense", visitor);
  output_.visit(name + ".output.dense", visitor);
  output_norm_.norm.visit(name + ".output.LayerNorm", visitor);
}

LayerWeights EncoderLayer::weights() const {
  LayerWeights weights;
  attention_.weights(weights);
  weights.intermediate = {intermediate_.weight.value, intermediate_.bias.value};
  weights.output = {output_.weight.value, output_.bias.value};
  weights.output_norm = {output_norm_.norm.gain.value, output_norm_.norm.bias.value};
  return weights;
}

}  // namespace roformer
