#include "models/encoder.h"

#include <algorithm>
#include <memory>
#include <optional>

#include "base/error.h"
#include "position/sinusoid.h"

namespace roformer {

namespace {

// What a batch's positions give each place where an encoding acts; kept alive by the tape.
struct PositionPlan {
  std::optional<InputPositions> input;
  std::vector<int32_t> input_rows;
  RotaryAngles angles;
  AttentionPositions attention;
};

// Sinusoids of the positions present, one row each.
void plan_sinusoid(Backend& backend, const SinusoidalPosition& sinusoidal, int64_t width, const Batch& batch,
                   PositionPlan& plan) {
  std::vector<int32_t> distinct = batch.positions;
  std::sort(distinct.begin(), distinct.end());
  distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());
  const Tensor table = backend.empty({static_cast<int64_t>(distinct.size()), width});
  for (int64_t i = 0; i < table.rows(); ++i) {
    for (int64_t c = 0; c < width; ++c) {
      const double value = sinusoid(distinct[static_cast<size_t>(i)], c, width, sinusoidal.layout);
      if (backend.real() == DType::float64) {
        table.row<double>(i)[c] = value;
      } else {
        table.row<float>(i)[c] = static_cast<float>(value);
      }
    }
  }
  for (const int32_t position : batch.positions) {
    const auto found = std::lower_bound(distinct.begin(), distinct.end(), position);
    plan.input_rows.push_back(static_cast<int32_t>(found - distinct.begin()));
  }
  plan.input = InputPositions{{table, {}}, plan.input_rows};
}

std::shared_ptr<const PositionPlan> make_plan(Backend& backend, const ModelConfig& config, const Batch& batch) {
  auto plan = std::make_shared<PositionPlan>();
  if (const auto* sinusoidal = std::get_if<SinusoidalPosition>(&config.position)) {
    plan_sinusoid(backend, *sinusoidal, config.embedding, batch, *plan);
  }
  if (const auto* rotary = std::get_if<RotaryPosition>(&config.position)) {
    plan->angles = backend.rotary_angles(rotary->rotary, batch.positions);
    plan->attention.query_angles = plan->attention.key_angles = &plan->angles;
    plan->attention.rotate_values = rotary->rotate_values;
  }
  return plan;
}

}  // namespace

Encoder::Encoder(Backend& backend, const ModelConfig& config, bool trainable)
    : config_(config),
      embeddings_(
          backend,
          {.vocabulary = config.vocabulary,
           .segments = config.segments,
           .width = config.embedding,
           .hidden = config.hidden,
           .learned_positions = std::holds_alternative<LearnedPosition>(config.position) ? config.max_positions : 0,
           .dropout = config.hidden_dropout,
           .norm_epsilon = config.norm_epsilon},
          trainable) {
  const EncoderLayerShape shape{.hidden = config.hidden,
                                .heads = config.heads,
                                .intermediate = config.intermediate,
                                .activation = config.activation,
                                .hidden_dropout = config.hidden_dropout,
                                .attention_dropout = config.attention_dropout,
                                .norm_epsilon = config.norm_epsilon};
  layers_.reserve(static_cast<size_t>(config.layers));
  for (int64_t i = 0; i < config.layers; ++i) layers_.emplace_back(backend, shape, trainable);
}

Value Encoder::forward(const Context& context, const Batch& batch) const {
  const auto plan = make_plan(context.backend, config_, batch);
  if (context.tape != nullptr) context.tape->keep(plan);
  Value x = embeddings_.forward(context, batch, plan->input ? &*plan->input : nullptr, 0);
  uint64_t place = 1;
  for (const EncoderLayer& layer : layers_) {
    x = layer.forward(context, x, batch, plan->attention, place);
    place += 3;
  }
  return x;
}

void Encoder::visit(const ParameterVisitor& visitor) const {
  embeddings_.visit("roformer", visitor);
  for (size_t i = 0; i < layers_.size(); ++i) {
    layers_[i].visit("roformer.encoder.layer." + std::to_string(i), visitor);
  }
}

}  // namespace roformer
