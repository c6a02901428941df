#include "models/encoder.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>

#include "base/error.h"
#include "nn/constant_table.h"
#include "position/sinusoid.h"

namespace roformer {

namespace {

// What a batch's positions give to input and attention; kept alive by the tape.
struct PositionPlan {
  std::shared_ptr<SharedPositions> shared;
  std::optional<InputPositions> input;
  std::vector<int32_t> input_rows;
  std::vector<int32_t> key_limits;
  AttentionInputs self;
  LayerMemory memory;
};

// Sinusoids of the positions present, one row each.
void plan_sinusoid(Backend& backend, const SinusoidalPosition& sinusoidal, int64_t width, const Batch& batch,
                   PositionPlan& plan) {
  std::vector<int32_t> distinct = batch.positions;
  std::sort(distinct.begin(), distinct.end());
  distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());
  const Tensor table = constant_table(backend, std::ssize(distinct), width, [&](int64_t row, int64_t column) {
    return sinusoidal.scale * sinusoid(distinct[static_cast<size_t>(row)], column, width, sinusoidal.layout);
  });
  for (const int32_t position : batch.positions) {
    const auto found = std::lower_bound(distinct.begin(), distinct.end(), position);
    plan.input_rows.push_back(static_cast<int32_t>(found - distinct.begin()));
  }
  plan.input = InputPositions{{table, {}}, plan.input_rows};
}

void plan_memory(const ModelConfig& config, const Batch& batch, const EncoderInputs& inputs, PositionPlan& plan) {
  if (!inputs.memory.data.defined()) return;
  if (!config.cross_attention) {
    throw DataError(
        "the model has no cross-attention (add_cross_attention), it cannot take an encoder's hidden states");
  }
  const Tensor& memory = inputs.memory.data;
  if (memory.columns() != config.hidden || std::ssize(inputs.memory_offsets) != batch.sequences() + 1) {
    throw DataError("the encoder's hidden states are {} in {} sequences, expected [tokens, {}] in {}",
                    memory.shape().to_string(), std::ssize(inputs.memory_offsets) - 1, config.hidden,
                    batch.sequences());
  }
  plan.memory.hidden = inputs.memory;
  plan.memory.inputs = {.query_offsets = batch.offsets, .key_offsets = inputs.memory_offsets};
  if (inputs.rotate_cross_queries.value_or(config.rotate_cross_queries)) {
    if (!can_rotate_cross_queries(config.position)) {
      throw DataError("the model has no rotary positions that queries of cross-attention could turn by");
    }
    plan.memory.inputs.query_angles = &plan.shared->query_angles;
  }
}

std::shared_ptr<const PositionPlan> make_plan(const Context& context, const ModelConfig& config,
                                              const TrunkPositions& positions, const Batch& batch,
                                              const EncoderInputs& inputs) {
  auto plan = std::make_shared<PositionPlan>();
  if (const auto* sinusoidal = std::get_if<SinusoidalPosition>(&config.position)) {
    plan_sinusoid(context.backend, *sinusoidal, config.embedding, batch, *plan);
  }
  plan->shared = positions.forward(context, batch.positions, batch.offsets);
  const Visibility visibility = inputs.visibility.value_or(config.visibility);
  if (visibility == Visibility::prefix && config.has_linear_attention()) {
    throw DataError("linear attention sees all tokens or those before (causal), it has no prefix attention");
  }
  plan->key_limits = visible_keys(visibility, batch);
  plan->self = {.query_offsets = batch.offsets,
                .key_offsets = batch.offsets,
                .key_limits = plan->key_limits,
                .positions = plan->shared.get()};
  plan_memory(config, batch, inputs, *plan);
  return plan;
}

int64_t learned_positions(const ModelConfig& config) {
  return std::holds_alternative<LearnedPosition>(config.position) ? config.max_positions : 0;
}

bool is_hierarchical(const ModelConfig& config) {
  const auto* learned = std::get_if<LearnedPosition>(&config.position);
  return learned != nullptr && learned->hierarchical;
}

}  // namespace

Encoder::Encoder(Backend& backend, const ModelConfig& config, bool trainable)
    : config_(config),
      embeddings_(backend,
                  {.vocabulary = config.vocabulary,
                   .segments = config.segments,
                   .width = config.embedding,
                   .hidden = config.hidden,
                   .learned_positions = learned_positions(config),
                   .hierarchical = is_hierarchical(config),
                   .dropout = config.hidden_dropout,
                   .norm = config.norm_shape()},
                  trainable),
      positions_(backend, config.positions_shape(), trainable) {
  EncoderLayerShape shape{.attention = {.hidden = config.hidden,
                                        .heads = config.heads,
                                        .hidden_dropout = config.hidden_dropout,
                                        .attention_dropout = config.attention_dropout,
                                        .norm = config.norm_shape(),
                                        .biased = config.biased,
                                        .position = config.position,
                                        .linear = config.linear},
                          .intermediate = config.intermediate,
                          .activation = config.activation,
                          .cross_attention = config.cross_attention};
  layers_.reserve(static_cast<size_t>(config.layers));
  for (int64_t i = 0; i < config.layers; ++i) {
    shape.attention.kind = config.attention_of(i);
    shape.attention.layer = i;
    layers_.emplace_back(backend, shape, trainable);
  }
}

Value Encoder::forward(const Context& context, const Batch& batch, const EncoderInputs& inputs) const {
  const auto plan = make_plan(context, config_, positions_, batch, inputs);
  if (context.tape != nullptr) context.tape->keep(plan);
  const LayerMemory* memory = plan->memory.hidden.data.defined() ? &plan->memory : nullptr;
  Value x = embeddings_.forward(context, batch, plan->input ? &*plan->input : nullptr, 0);
  const bool only_run = context.tape == nullptr && !context.training && context.observer == nullptr;
  const bool simple = memory == nullptr && !acts_on_scores(config_.position) && !config_.has_linear_attention();
  const FusedLayers* layers = only_run && simple ? fused(context.backend) : nullptr;
  if (layers != nullptr) {
    const AttentionSpec spec{.heads = config_.heads,
                             .scale = 1 / std::sqrt(static_cast<double>(config_.head_dim())),
                             .query_offsets = batch.offsets,
                             .key_offsets = batch.offsets,
                             .key_limits = plan->key_limits};
    const AttentionPositions& positions = plan->shared->attention;
    layers->forward(spec, positions.query_angles, positions.key_angles, positions.rotate_values, x.data);
    return x;
  }
  uint64_t place = 1;
  for (const EncoderLayer& layer : layers_) {
    x = layer.forward(context, x, plan->self, place, memory);
    place += layer.places();
  }
  return x;
}

void Encoder::freeze() { frozen_ = std::make_unique<Frozen>(); }

const FusedLayers* Encoder::fused(Backend& backend) const {
  if (frozen_ == nullptr || layers_.empty()) return nullptr;
  std::call_once(frozen_->once, [&] {
    std::vector<LayerWeights> weights;
    weights.reserve(layers_.size());
    for (const EncoderLayer& layer : layers_) weights.push_back(layer.weights());
    frozen_->layers = backend.fuse({config_.heads, config_.norm_shape(), config_.activation}, weights);
  });
  return frozen_->layers.get();
}

uint64_t Encoder::places() const { return layers_.empty() ? 1 : 1 + layers_.size() * layers_.front().places(); }

void Encoder::visit(const ParameterVisitor& visitor) {
  const std::string name = trunk_name(config_.family);
  embeddings_.visit(name, visitor);
  positions_.visit(name + ".encoder", visitor);
  for (size_t i = 0; i < layers_.size(); ++i) {
    layers_[i].visit(name + ".encoder.layer." + std::to_string(i), visitor);
  }
}

std::vector<int32_t> visible_keys(Visibility visibility, const Batch& batch) {
  std::vector<int32_t> limits;
  if (visibility == Visibility::all) return limits;
  limits.resize(batch.ids.size());
  for (size_t s = 0; s + 1 < batch.offsets.size(); ++s) {
    const int32_t begin = batch.offsets[s], end = batch.offsets[s + 1];
    // From the last token back: a token sees as far as the next one does, unless that one's segment raised the sum.
    int32_t limit = end - begin;
    for (int32_t t = end - 1; t >= begin; --t) {
      const auto place = static_cast<size_t>(t);
      const bool closes = visibility == Visibility::causal || (t + 1 < end && batch.segments[place + 1] > 0);
      if (closes) limit = t + 1 - begin;
      limits[place] = limit;
    }
  }
  return limits;
}

}  // namespace roformer
