#include "nn/encoder_layer.h"

namespace roformer {

namespace {

bool feed_forward_biased(const EncoderLayerShape& shape) {
  return shape.feed_forward_biased.value_or(shape.attention.biased);
}

}  // namespace

EncoderLayer::EncoderLayer(const Scope& scope, const EncoderLayerShape& shape)
    : shape_(shape),
      attention_(scope / "attention", shape.attention),
      cross_attention_(shape.cross_attention
                           ? std::optional<CrossAttention>(std::in_place, scope / "cross_attention", shape.attention)
                           : std::nullopt),
      gate_(shape.gated ? std::optional<LinearLayer>(std::in_place, scope / "feed_forward.gate", shape.attention.hidden,
                                                     shape.intermediate, feed_forward_biased(shape))
                        : std::nullopt),
      up_(scope / "feed_forward.up", shape.attention.hidden, shape.intermediate, feed_forward_biased(shape)),
      down_(scope / "feed_forward.down", shape.intermediate, shape.attention.hidden, feed_forward_biased(shape)),
      norm_{shape.attention.placement,
            NormLayer(scope / "feed_forward.norm", shape.attention.hidden, shape.attention.norm)} {}

Value EncoderLayer::forward(const Context& context, const Value& x, const AttentionInputs& inputs, uint64_t place,
                            const LayerMemory* memory) const {
  Value attended = attention_.forward(context, x, inputs, place);
  if (cross_attention_ && memory != nullptr) {
    attended = cross_attention_->forward(context, attended, memory->hidden, memory->inputs, place + 3);
  }
  Value contracted = expand_and_contract(context, norm_.enter(context, attended));
  return norm_.leave(context, std::move(contracted), attended,
                     context.dropout(shape_.attention.hidden_dropout, place + 2));
}

Value EncoderLayer::expand_and_contract(const Context& context, const Value& x) const {
  if (gate_) {
    return gated_feed_forward(context, x, shape_.activation,
                              {gate_->weight, gate_->bias, up_.weight, up_.bias, down_.weight, down_.bias});
  }
  return feed_forward(context, x, up_.weight, up_.bias, shape_.activation, down_.weight, down_.bias);
}

void EncoderLayer::linear_weights(std::vector<Parameter*>& weights) {
  attention_.linear_weights(weights);
  if (cross_attention_) cross_attention_->linear_weights(weights);
  if (gate_) weights.push_back(&gate_->weight);
  weights.push_back(&up_.weight);
  weights.push_back(&down_.weight);
}

LayerWeights EncoderLayer::weights() const {
  LayerWeights weights;
  attention_.weights(weights);
  weights.intermediate = {up_.weight.prepared, up_.bias.value};
  weights.output = {down_.weight.prepared, down_.bias.value};
  weights.output_norm = {norm_.norm.gain.value, norm_.norm.bias.value};
  return weights;
}

}  // namespace roformer
