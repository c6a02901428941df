#include "models/transformer_stack.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>

#include <fmt/format.h>

#include "base/error.h"
#include "nn/constant_table.h"
#include "position/sinusoid.h"

namespace roformer {

namespace {

// Position inputs of a batch for embeddings and attention.
struct PositionPlan {
  std::optional<InputPositions> input;
  std::vector<AttentionInputs> layers;
  LayerMemory memory;
  bool asks = false;  // the memory
  bool rotates_cross_queries = false;
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
  std::vector<int32_t> rows;
  for (const int32_t position : batch.positions) {
    const auto found = std::lower_bound(distinct.begin(), distinct.end(), position);
    rows.push_back(static_cast<int32_t>(found - distinct.begin()));
  }
  plan.input = InputPositions{{table, {}}, std::move(rows)};
}

void plan_memory(const ModelConfig& config, const Batch& batch, const StackInputs& inputs, PositionPlan& plan) {
  const bool kept = inputs.state != nullptr && inputs.state->has_memory();
  if (!inputs.memory.data.defined() && !kept) {
    if (config.encoder == nullptr) return;
    throw DataError(
        "the model is an encoder-decoder, whose decoder reads what its encoder makes of a source: it translates");
  }
  if (!config.cross_attention) {
    throw DataError("the model has no cross-attention ({}), it cannot take an encoder's hidden states",
                    KeyName("add_cross_attention"));
  }
  const Tensor& memory = inputs.memory.data;
  if (memory.defined() && (memory.columns() != config.hidden ||
                           static_cast<int64_t>(inputs.memory_offsets.size()) != batch.sequences() + 1)) {
    throw DataError("the encoder's hidden states are {} in {} sequences, expected [tokens, {}] in {} sequences",
                    memory.shape().to_string(), static_cast<int64_t>(inputs.memory_offsets.size()) - 1, config.hidden,
                    batch.sequences());
  }
  plan.asks = true;
  plan.memory.hidden = inputs.memory;
  if (inputs.state != nullptr) {
    if (memory.defined()) inputs.state->begin_memory(inputs.memory_offsets, config.layers);
    plan.memory.inputs = {.query_offsets = inputs.state->memory_rows(batch.offsets),
                          .key_offsets = inputs.state->memory().offsets};
  } else {
    plan.memory.inputs = {.query_offsets = batch.offsets, .key_offsets = inputs.memory_offsets};
  }
  if (inputs.rotate_cross_queries.value_or(config.rotate_cross_queries)) {
    if (!can_rotate_cross_queries(config.position)) {
      throw DataError("the model has no rotary positions to rotate cross-attention queries with");
    }
    plan.rotates_cross_queries = true;
  }
}

void check_state(const Context& context, const Batch& batch, AttentionMask attention_mask, const DecodingState& state) {
  if (context.tape != nullptr) throw ShapeError("a pass that adds to a decoding state cannot be recorded");
  if (batch.sequences() != state.sequences()) {
    throw ShapeError("a batch of {} sequences continues a state of {}", batch.sequences(), state.sequences());
  }
  if (attention_mask == AttentionMask::bidirectional) {
    throw DataError("the model's attention is bidirectional, so it cannot generate token by token");
  }
  for (int64_t s = 0; s < state.sequences(); ++s) {
    const auto begin = static_cast<size_t>(batch.offsets[static_cast<size_t>(s)]);
    const auto end = static_cast<size_t>(batch.offsets[static_cast<size_t>(s) + 1]);
    if (begin == end || state.tokens(s) == 0) continue;
    if (attention_mask == AttentionMask::prefix && batch.segments[begin] == 0) {
      throw DataError("the tokens of segment 0, which attend to each other, must be in one pass");
    }
  }
}

// The keys of a decoding pass, past ones included; adds the past lengths to `limits` (visible_keys).
CachedKeys keys_with_past(const Batch& batch, const DecodingState& state, std::vector<int32_t>& limits) {
  std::vector<int32_t> positions, offsets{0};
  for (int64_t s = 0; s < state.sequences(); ++s) {
    const int32_t begin = batch.offsets[static_cast<size_t>(s)], end = batch.offsets[static_cast<size_t>(s) + 1];
    const auto past = state.positions(s);
    positions.insert(positions.end(), past.begin(), past.end());
    positions.insert(positions.end(), batch.positions.begin() + begin, batch.positions.begin() + end);
    offsets.push_back(static_cast<int32_t>(positions.size()));
    for (int32_t t = begin; t < end; ++t) limits[static_cast<size_t>(t)] += static_cast<int32_t>(past.size());
  }
  return {std::move(positions), std::move(offsets)};
}

PositionPlan make_plan(const Context& context, const ModelConfig& config, const TrunkPositions& positions,
                       const Batch& batch, const StackInputs& inputs) {
  PositionPlan plan;
  if (const auto* sinusoidal = std::get_if<SinusoidalPosition>(&config.position)) {
    plan_sinusoid(context.backend, *sinusoidal, config.embedding, batch, plan);
  }
  const AttentionMask attention_mask = inputs.attention_mask.value_or(config.attention_mask);
  if (attention_mask == AttentionMask::prefix && config.has_linear_attention()) {
    throw DataError("linear attention is bidirectional or causal; it does not support prefix attention");
  }
  std::vector<int32_t> limits = visible_keys(attention_mask, batch);
  const Indices offsets = batch.offsets;
  std::optional<CachedKeys> keys;
  if (DecodingState* state = inputs.state; state != nullptr) {
    check_state(context, batch, attention_mask, *state);
    keys = keys_with_past(batch, *state, limits);
  }
  const Indices key_offsets = keys ? keys->offsets : offsets, all_limits = std::move(limits);
  const auto shared = positions.forward(context, batch.positions, offsets, keys ? &*keys : nullptr);
  VisibleKeys seen;
  for (int64_t i = 0; i < config.layers; ++i) {
    if (i == 0 || config.window_of(i) != config.window_of(i - 1)) {
      seen = within_window(all_limits, config.window_of(i), offsets, key_offsets);
    }
    const auto layer = static_cast<size_t>(i);
    plan.layers.push_back({.query_offsets = offsets,
                           .key_offsets = key_offsets,
                           .key_ends = seen.limits,
                           .key_starts = seen.begins,
                           .positions = shared[shared.size() == 1 ? 0 : layer],
                           .cache = {}});
  }
  if (DecodingState* state = inputs.state; state != nullptr) {
    std::vector<KeyValueCache>& caches = state->layers(config.layers);
    for (size_t i = 0; i < caches.size(); ++i) {
      caches[i].window = config.window_of(static_cast<int64_t>(i)).before;
      plan.layers[i].cache = {&caches[i], state->lengths(), state->capacity()};
    }
  }
  plan_memory(config, batch, inputs, plan);
  return plan;
}

int64_t learned_positions(const ModelConfig& config) {
  return std::holds_alternative<LearnedPosition>(config.position) ? config.max_positions : 0;
}

// Whether LayerWeights can represent the config.
bool can_fuse(const ModelConfig& config) {
  return config.norms.sublayer == kPostNorms.sublayer && !config.norms.last && config.attention_norms.empty() &&
         !config.cross_attention && !config.gated && config.kv_heads == 0 && config.head_size == 0 &&
         config.norm != NormKind::rms_one_plus_gain && !config.query_key_norm && config.windows.size() <= 1 &&
         config.layer_rotary.empty() && !config.has_linear_attention() && !acts_on_scores(config.position);
}

bool is_hierarchical(const ModelConfig& config) {
  const auto* learned = std::get_if<LearnedPosition>(&config.position);
  return learned != nullptr && learned->hierarchical;
}

}  // namespace

TransformerStack::TransformerStack(const Scope& scope, const ModelConfig& config, const Parameter* words)
    : config_(config),
      embeddings_(scope / "embeddings",
                  {.vocabulary = config.vocabulary,
                   .segments = config.segments,
                   .width = config.embedding,
                   .hidden = config.hidden,
                   .learned_positions = learned_positions(config),
                   .hierarchical = is_hierarchical(config),
                   .dropout = config.hidden_dropout,
                   .norm = config.norm_config(),
                   .word_scale = config.embedding_scale,
                   .normed = config.norms.embedding},
                  words),
      positions_(scope / "positions", config.positions_config()) {
  TransformerLayerConfig shape{.attention = {.hidden = config.hidden,
                                             .heads = config.heads,
                                             .hidden_dropout = config.hidden_dropout,
                                             .attention_dropout = config.attention_dropout,
                                             .norm = config.norm_config(),
                                             .biased = config.biased,
                                             .position = config.position,
                                             .kv_heads = config.kv_heads,
                                             .output_biased = config.attention_output_biased,
                                             .head_size = config.head_size,
                                             .query_key_norm = config.query_key_norm,
                                             .scale = config.attention_scale,
                                             .score_cap = config.score_cap,
                                             .linear = config.linear},
                               .intermediate = config.intermediate,
                               .activation = config.activation,
                               .norms = config.norms.sublayer,
                               .parallel = config.parallel_residual,
                               .cross_attention = config.cross_attention,
                               .gated = config.gated,
                               .feed_forward_biased = config.feed_forward_biased};
  layers_.reserve(static_cast<size_t>(config.layers));
  for (int64_t i = 0; i < config.layers; ++i) {
    shape.attention.kind = config.attention_of(i);
    shape.attention.layer = i;
    shape.attention_norms = config.attention_norms_of(i);
    layers_.emplace_back(scope / "layers" / std::to_string(i), shape);
  }
  if (config.norms.last) {
    final_norm_.emplace(scope / "final_norm", config.hidden, config.norm_config());
  }
}

Value TransformerStack::forward(const Context& context, const Batch& batch, const StackInputs& inputs) const {
  context.check_stop();
  if (inputs.state != nullptr) follow_lengths(context, batch, *inputs.state);
  const PositionPlan plan = make_plan(context, config_, positions_, batch, inputs);
  const bool asks = plan.asks;
  Value x = embeddings_.forward(context, batch, plan.input ? &*plan.input : nullptr, inputs.first_site);
  const bool only_run = context.tape == nullptr && !context.training && context.observer == nullptr;
  const FusedLayers* layers = only_run && !asks ? fused_.get() : nullptr;
  if (layers != nullptr) {
    const AttentionInputs& self = plan.layers.front();
    const AttentionPositions& positions = self.positions->attention;
    if (inputs.state != nullptr) {
      const auto attend = [&](size_t layer, const Tensor& qkv, const Tensor& mixed) {
        const AttentionOptions options{.heads = config_.heads,
                                       .scale = config_.attention_scale,
                                       .query_offsets = self.query_offsets,
                                       .key_offsets = self.key_offsets,
                                       .key_ends = self.key_ends,
                                       .key_starts = self.key_starts,
                                       .score_cap = config_.score_cap,
                                       .cache = plan.layers[layer].cache};
        const int64_t hidden = config_.hidden;
        attention_with_cache(
            context.backend, options,
            {qkv.column_range(0, hidden), qkv.column_range(hidden, hidden), qkv.column_range(2 * hidden, hidden)},
            positions, mixed);
      };
      layers->forward(attend, x.data);
      inputs.state->add(batch.positions, batch.offsets);
      return x;
    }
    const double usual = 1 / std::sqrt(static_cast<double>(config_.head_dim()));
    const AttentionSpec spec{.heads = config_.heads,
                             .scale = config_.attention_scale != 0 ? config_.attention_scale : usual,
                             .query_offsets = self.query_offsets,
                             .key_offsets = self.key_offsets,
                             .key_ends = self.key_ends,
                             .key_starts = self.key_starts,
                             .score_cap = config_.score_cap};
    layers->forward(spec, positions.query_angles.get(), positions.key_angles.get(), positions.rotate_values, x.data);
    return x;
  }
  uint64_t site = inputs.first_site + 1;
  for (size_t i = 0; i < layers_.size(); ++i) {
    context.check_stop();
    LayerMemory memory = plan.memory;
    if (asks && inputs.state != nullptr) memory.kept = &inputs.state->memory().layers[i];
    if (plan.rotates_cross_queries) {
      memory.inputs.query_angles = plan.layers[i].positions->attention.query_angles;
    }
    const auto forward = [layer = &layers_[i], inputs = plan.layers[i], site, asks, memory](const Context& of,
                                                                                            const Value& in) {
      return layer->forward(of, in, inputs, site, asks ? &memory : nullptr);
    };
    x = context.checkpointing ? recomputed(context, x, forward) : forward(context, x);
    site += layers_[i].dropout_sites();
  }
  if (inputs.state != nullptr) inputs.state->add(batch.positions, batch.offsets);
  return final_norm_ ? final_norm_->forward(context, x) : x;
}

// Length-dependent frequencies (dynamic NTK, LongRoPE) change as a sequence grows, also for its cached keys.
void TransformerStack::follow_lengths(const Context& context, const Batch& batch, DecodingState& state) const {
  const auto* rotary = std::get_if<RotaryPosition>(&config_.position);
  if (rotary == nullptr || batch.sequences() != state.sequences()) return;
  const auto changes = [&](int64_t before, int64_t after) {
    const auto changes_of = [&](const Rotary& one) {
      return scaling_length(one.scaling, before) != scaling_length(one.scaling, after);
    };
    return config_.layer_rotary.empty() ? changes_of(rotary->rotary)
                                        : std::ranges::any_of(config_.layer_rotary, changes_of);
  };
  for (int64_t s = 0; s < state.sequences(); ++s) {
    const int32_t begin = batch.offsets[static_cast<size_t>(s)], end = batch.offsets[static_cast<size_t>(s) + 1];
    if (begin == end || state.tokens(s) == 0) continue;
    const int64_t length = int64_t{batch.positions[static_cast<size_t>(end) - 1]} + 1;
    if (!changes(state.next_position(s), length)) continue;
    if (config_.has_linear_attention()) {
      throw DataError("linear attention cannot generate with rotary frequencies that depend on the length");
    }
    const std::vector<int32_t> same(state.positions(s).begin(), state.positions(s).end());
    move(context.backend, state, s, same, state.next_position(s), length);
  }
}

void TransformerStack::move(Backend& backend, DecodingState& state, int64_t sequence, std::span<const int32_t> to,
                            int64_t old_length, int64_t new_length) const {
  std::vector<KeyRotation> before = positions_.key_rotations(backend, old_length);
  std::vector<KeyRotation> after = positions_.key_rotations(backend, new_length);
  if (before.empty()) return state.move(backend, sequence, to, {});
  std::vector<Rerotation> rotations;
  for (size_t i = 0; i < before.size(); ++i) rotations.emplace_back(std::move(before[i]), std::move(after[i]));
  const bool values = std::get<RotaryPosition>(config_.position).rotate_values;
  state.move(backend, sequence, to,
             {.rotations = std::move(rotations), .heads = config_.key_heads(), .values = values});
}

void TransformerStack::forget(Backend& backend, DecodingState& state, int64_t sequence, int64_t first,
                              int64_t count) const {
  if (!can_forget(config_)) {
    throw UsageError("tokens cannot be removed from the decoding state with {}", forget_obstacle(config_));
  }
  if (count == 0) return;
  const int64_t before = state.next_position(sequence);
  state.forget(backend, sequence, first, count);
  std::vector<int32_t> to(state.positions(sequence).begin(), state.positions(sequence).end());
  for (size_t i = static_cast<size_t>(first); i < to.size(); ++i) to[i] -= static_cast<int32_t>(count);
  const int64_t length = to.empty() ? 0 : int64_t{to.back()} + 1;
  move(backend, state, sequence, to, before, length);
}

void TransformerStack::linear_weights(std::vector<Parameter*>& weights) {
  embeddings_.linear_weights(weights);
  for (TransformerLayer& layer : layers_) layer.linear_weights(weights);
}

PassSize TransformerStack::pass_size() const {
  // A decoder with cross-attention translates, with all beams of many sentences in a pass.
  const bool decodes =
      config_.attention_mask == AttentionMask::causal && !config_.cross_attention && !can_fuse(config_);
  return decodes ? PassSize::decoding : PassSize::many_tokens;
}

void TransformerStack::fuse(Backend& backend) {
  if (!can_fuse(config_)) return;
  std::vector<LayerWeights> weights;
  weights.reserve(layers_.size());
  for (const TransformerLayer& layer : layers_) weights.push_back(layer.weights());
  fused_ = backend.fuse({config_.heads, config_.norm_config(), config_.activation}, weights);
}

uint64_t TransformerStack::dropout_sites() const {
  return layers_.empty() ? 1 : 1 + layers_.size() * layers_.front().dropout_sites();
}

bool can_forget(const ModelConfig& config) { return keys_can_move(config.position) && !config.has_linear_attention(); }

std::string forget_obstacle(const ModelConfig& config) {
  if (config.has_linear_attention()) return "linear attention";
  return fmt::format("the {} encoding", position_name(config.position));
}

int64_t decoding_bytes(const ModelConfig& config, int64_t tokens) {
  int64_t rows = 0;  // of layers with a KV cache
  for (int64_t i = 0; i < config.layers; ++i) {
    if (config.attention_of(i) != AttentionKind::softmax) continue;
    const int64_t before = config.window_of(i).before;
    rows += before == KeyWindow::kAll ? tokens : std::min(tokens, 4 * (before + 1 + KeyValueCache::kSpare));
  }
  const int64_t parts = std::holds_alternative<TupePosition>(config.position) ? 3 : 2;  // its keys are twice as long
  return parts * rows * config.positions_config().key_width() * static_cast<int64_t>(sizeof(float));
}

std::vector<int32_t> visible_keys(AttentionMask attention_mask, const Batch& batch) {
  std::vector<int32_t> limits;
  if (attention_mask == AttentionMask::bidirectional) return limits;
  limits.resize(batch.ids.size());
  for (size_t s = 0; s + 1 < batch.offsets.size(); ++s) {
    const int32_t begin = batch.offsets[s], end = batch.offsets[s + 1];
    // Backwards: a token sees as far as the next one, unless the next one's segment is higher.
    int32_t limit = end - begin;
    for (int32_t t = end - 1; t >= begin; --t) {
      const auto token = static_cast<size_t>(t);
      const bool closes = attention_mask == AttentionMask::causal || (t + 1 < end && batch.segments[token + 1] > 0);
      if (closes) limit = t + 1 - begin;
      limits[token] = limit;
    }
  }
  return limits;
}

}  // namespace roformer
