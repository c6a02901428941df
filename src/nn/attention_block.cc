#include "nn/attention_block.h"

#include <array>
#include <utility>

namespace roformer {

namespace {

AttentionOptions options_of(const Context& context, const AttentionConfig& config, const AttentionInputs& inputs,
                            uint64_t site) {
  return {.heads = config.heads,
          .kv_heads = config.kv_heads,
          .scale = config.scale,
          .query_offsets = inputs.query_offsets,
          .key_offsets = inputs.key_offsets,
          .key_ends = inputs.key_ends,
          .key_starts = inputs.key_starts,
          .score_cap = config.score_cap,
          .dropout = context.dropout(config.attention_dropout, site),
          .cache = inputs.cache};
}

std::vector<ParameterSource::Output> query_key_value(const AttentionConfig& config) {
  const int64_t keys = config.positions_config().key_width();
  return {{"query", config.positions_config().query_width()}, {"key", keys}, {"value", keys}};
}

// Norms each head of x.
Columns norm_heads(const Context& context, const NormLayer& norm, Columns x, int64_t heads) {
  const Shape flat{x.value.data.rows(), x.count};
  return Columns(reshaped(context, norm.forward(context, head_rows(context, x, heads)), flat));
}

}  // namespace

SelfAttention::SelfAttention(const Scope& scope, const AttentionConfig& config)
    : config_(config),
      qkv_(scope, query_key_value(config), config.hidden, config.biased),
      positions_(scope / "positions", config.positions_config()),
      output_(scope / "output", config.positions_config().query_width(), config.hidden,
              config.output_biased.value_or(config.biased)) {
  const PositionsConfig positions = config.positions_config();
  if (config.query_key_norm) {
    query_norm_.emplace(scope / "query_norm", positions.head_dim(), *config.query_key_norm);
    key_norm_.emplace(scope / "key_norm", positions.head_dim(), *config.query_key_norm);
  }
  if (config.kind == AttentionKind::softmax) return;
  linear_.emplace(
      LinearAttentionConfig{config.kind, config.linear, positions.query_width(), config.heads, config.layer});
}

Value SelfAttention::forward(const Context& context, const Value& x, const AttentionInputs& inputs,
                             uint64_t site) const {
  Value projected = qkv_.forward(context, x);
  static const SharedPositions kNone{};
  const SharedPositions& positions = inputs.positions != nullptr ? *inputs.positions : kNone;
  if (linear_) return output_.forward(context, attend_linear(context, std::move(projected), inputs, positions));
  const PositionsConfig config = config_.positions_config();
  const int64_t keys = config.key_width();
  std::array<Columns, 3> qkv = split<3>(std::move(projected), {config.query_width(), keys, keys});
  if (query_norm_) {
    qkv[0] = norm_heads(context, *query_norm_, std::move(qkv[0]), config.heads);
    qkv[1] = norm_heads(context, *key_norm_, std::move(qkv[1]), keys / config.head_dim());
  }
  const AttentionOptions options = options_of(context, config_, inputs, site);
  return output_.forward(context, positions_.attend(context, options, std::move(qkv), qkv_, positions));
}

Value SelfAttention::attend_linear(const Context& context, Value&& qkv, const AttentionInputs& inputs,
                                   const SharedPositions& positions) const {
  const bool causal = !inputs.key_ends.empty();
  if (!inputs.cache) return linear_->attend(context, std::move(qkv), inputs.query_offsets, causal, positions);
  LinearAttentionState& state = inputs.cache->cache->linear;
  if (!state.defined()) state = linear_->start(context.backend, std::ssize(inputs.query_offsets) - 1);
  return linear_->attend(context, std::move(qkv), inputs.query_offsets, causal, positions, state);
}

void SelfAttention::linear_weights(std::vector<Parameter*>& weights) {
  // DeBERTa projects its positions by rows of this weight.
  if (!std::holds_alternative<DebertaPosition>(config_.position)) weights.push_back(&qkv_.weight);
  weights.push_back(&output_.weight);
}

void SelfAttention::weights(LayerWeights& weights) const {
  weights.qkv = {qkv_.weight.prepared, qkv_.bias.value};
  weights.attention_output = {output_.weight.prepared, output_.bias.value};
}

CrossAttention::CrossAttention(const Scope& scope, const AttentionConfig& config)
    : config_(config),
      query_(scope / "query", config.hidden, config.positions_config().query_width(), config.biased),
      key_value_(scope,
                 std::vector<ParameterSource::Output>{{"key", config.positions_config().query_width()},
                                                      {"value", config.positions_config().query_width()}},
                 config.hidden, config.biased),
      output_(scope / "output", config.positions_config().query_width(), config.hidden, config.biased) {
  config_.kv_heads = 0;  // as many as queries
}

void CrossAttention::linear_weights(std::vector<Parameter*>& weights) {
  for (LinearLayer* layer : {&query_, &key_value_, &output_}) weights.push_back(&layer->weight);
}

Value CrossAttention::forward(const Context& context, const Value& x, const Value& memory,
                              const AttentionInputs& inputs, uint64_t site, Tensor* kept) const {
  const int64_t width = config_.positions_config().query_width();
  const AttentionOptions options = options_of(context, config_, inputs, site);
  Value keys_values = memory.data.defined() ? key_value_.forward(context, memory) : Value{*kept};
  if (kept != nullptr) *kept = keys_values.data;
  auto [k, v] = split<2>(std::move(keys_values), {width, width});
  const AttentionPositions positions{.query_angles = inputs.query_angles};
  return output_.forward(
      context, attention(context, options, Columns(query_.forward(context, x)), std::move(k), std::move(v), positions));
}

}  // namespace roformer
