#include "nn/transformer_layer.h"

namespace roformer {

namespace {

bool feed_forward_biased(const TransformerLayerConfig& config) {
  return config.feed_forward_biased.value_or(config.attention.biased);
}

// If both sub-layers share the input norm, it is the attention's.
SublayerNorms feed_forward_norms(const TransformerLayerConfig& config) {
  SublayerNorms norms = config.norms;
  if (config.parallel == ParallelResidual::one_norm) norms.input = false;
  return norms;
}

}  // namespace

TransformerLayer::TransformerLayer(const Scope& scope, const TransformerLayerConfig& config)
    : config_(config),
      attention_(scope / "attention", config.attention),
      attention_residual_(scope / "attention", config.attention.hidden, config.attention_norms, config.attention.norm),
      cross_attention_(config.cross_attention
                           ? std::optional<CrossAttention>(std::in_place, scope / "cross_attention", config.attention)
                           : std::nullopt),
      cross_residual_(config.cross_attention
                          ? std::optional<Residual>(std::in_place, scope / "cross_attention", config.attention.hidden,
                                                    config.norms, config.attention.norm)
                          : std::nullopt),
      gate_(config.gated
                ? std::optional<LinearLayer>(std::in_place, scope / "feed_forward.gate", config.attention.hidden,
                                             config.intermediate, feed_forward_biased(config))
                : std::nullopt),
      up_(scope / "feed_forward.up", config.attention.hidden, config.intermediate, feed_forward_biased(config)),
      down_(scope / "feed_forward.down", config.intermediate, config.attention.hidden, feed_forward_biased(config)),
      residual_(scope / "feed_forward", config.attention.hidden, feed_forward_norms(config), config.attention.norm) {}

Value TransformerLayer::forward(const Context& context, const Value& x, const AttentionInputs& inputs, uint64_t site,
                                const LayerMemory* memory) const {
  if (config_.parallel != ParallelResidual::none) return forward_parallel(context, x, inputs, site);
  const auto drop = [&](uint64_t at) { return context.dropout(config_.attention.hidden_dropout, at); };
  const auto attend = [this, &inputs, site](const Context& of, const Value& in) {
    return attention_residual_.leave(of, attention_.forward(of, attention_residual_.enter(of, in), inputs, site), in,
                                     of.dropout(config_.attention.hidden_dropout, site + 1));
  };
  // Queries, keys and values are computed once more than the feed-forward network: they are not there while it runs
  // backward, which is when a layer takes most memory.
  Value attended = context.checkpointing ? recomputed(context, x, attend) : attend(context, x);
  if (cross_attention_ && memory != nullptr) {
    const Value asking = cross_residual_->enter(context, attended);
    attended = cross_residual_->leave(
        context, cross_attention_->forward(context, asking, memory->hidden, memory->inputs, site + 3, memory->kept),
        attended, drop(site + 4));
  }
  return residual_.leave(context, feed_forward_network(context, residual_.enter(context, attended)), attended,
                         drop(site + 2));
}

Value TransformerLayer::forward_parallel(const Context& context, const Value& x, const AttentionInputs& inputs,
                                         uint64_t site) const {
  const auto drop = [&](uint64_t at) { return context.dropout(config_.attention.hidden_dropout, at); };
  const Value normal = attention_residual_.enter(context, x);
  const bool shared = config_.parallel == ParallelResidual::one_norm;
  const Value sum = residual_.leave(
      context, feed_forward_network(context, shared ? normal : residual_.enter(context, x)), x, drop(site + 2));
  return attention_residual_.leave(context, attention_.forward(context, normal, inputs, site), sum, drop(site + 1));
}

Value TransformerLayer::feed_forward_network(const Context& context, const Value& x) const {
  if (gate_) {
    return gated_feed_forward(context, x, config_.activation,
                              {gate_->weight, gate_->bias, up_.weight, up_.bias, down_.weight, down_.bias});
  }
  return feed_forward(context, x, up_.weight, up_.bias, config_.activation, down_.weight, down_.bias);
}

void TransformerLayer::linear_weights(std::vector<Parameter*>& weights) {
  attention_.linear_weights(weights);
  if (cross_attention_) cross_attention_->linear_weights(weights);
  if (gate_) weights.push_back(&gate_->weight);
  weights.push_back(&up_.weight);
  weights.push_back(&down_.weight);
}

LayerWeights TransformerLayer::weights() const {
  LayerWeights weights;
  attention_.weights(weights);
  weights.intermediate = {up_.weight.prepared, up_.bias.value};
  weights.output = {down_.weight.prepared, down_.bias.value};
  weights.attention_norm = {attention_residual_.sum->gain.value, attention_residual_.sum->bias.value};
  weights.output_norm = {residual_.sum->gain.value, residual_.sum->bias.value};
  return weights;
}

}  // namespace roformer
