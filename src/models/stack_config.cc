#include "models/stack_config.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <utility>

#include "models/refuse.h"

namespace roformer {

namespace {

// Normalizes equal windows of all layers to one, and unlimited ones to none.
void complete_windows(ModelConfig& config, const std::string& source) {
  std::vector<KeyWindow>& windows = config.windows;
  if (windows.size() > 1 && std::ssize(windows) != config.layers) {
    refuse_config(source, "{} windows, expected one for all layers or one for each of {} layers", windows.size(),
                  config.layers);
  }
  for (const KeyWindow& window : windows) {
    check_range(source, "tokens before, of a window", window.before, 0, KeyWindow::kAll);
    check_range(source, "tokens after, of a window", window.after, 0, KeyWindow::kAll);
  }
  if (windows.empty()) return;
  if (std::ranges::adjacent_find(windows, std::not_equal_to<>()) == windows.end()) windows.resize(1);
  if (windows.size() == 1 && windows.front().all()) windows.clear();
}

// Consistency of norms and residuals.
void check_norms(const ModelConfig& config, const std::string& source) {
  if (!config.attention_norms.empty() && std::ssize(config.attention_norms) != config.layers) {
    refuse_config(source, "attention norms of {} layers, expected those of all {} layers or none",
                  config.attention_norms.size(), config.layers);
  }
  if (config.parallel_residual == ParallelResidual::none) return;
  const bool sums = std::ranges::any_of(config.attention_norms, [](const SublayerNorms& norms) { return norms.sum; });
  if (sums || config.norms.sublayer.sum || config.cross_attention) {
    refuse_config(source, "parallel residuals allow neither post-norm nor cross-attention");
  }
  const bool shared = config.parallel_residual == ParallelResidual::one_norm;
  if (shared && (!config.norms.sublayer.input || !config.attention_norms.empty())) {
    refuse_config(source, "a norm shared by both sub-layers must be a pre-norm, in each layer");
  }
}

// Scales and caps of attention scores and logits.
void check_scores(const ModelConfig& config, const std::string& source) {
  constexpr double kMaxScale = 1e6;
  for (const auto& [key, value] :
       {std::pair("the attention scale", config.attention_scale), std::pair("the cap of scores", config.score_cap),
        std::pair("the cap of logits", config.logit_cap)}) {
    if (!(value >= 0 && value <= kMaxScale)) refuse_config(source, "{} is {}, expected 0 to {}", key, value, kMaxScale);
  }
  if (!(std::abs(config.embedding_scale) <= kMaxScale)) {
    refuse_config(source, "the embedding scale is {}, expected -{} to {}", config.embedding_scale, kMaxScale,
                  kMaxScale);
  }
  if (config.query_key_norm && !(config.query_key_norm->epsilon >= 0 && config.query_key_norm->epsilon < 1)) {
    refuse_config(source, "the epsilon of the norms of q and k is {}, expected at least 0 and less than 1",
                  config.query_key_norm->epsilon);
  }
  if (!config.layer_rotary.empty() && !std::holds_alternative<RotaryPosition>(config.position)) {
    refuse_config(source, "per-layer rotations need rotary positions, not {}", position_name(config.position));
  }
  const bool own = std::holds_alternative<TransformerXlPosition>(config.position) ||
                   std::holds_alternative<TupePosition>(config.position) ||
                   std::holds_alternative<DebertaPosition>(config.position);
  if (own && (config.head_size != 0 || config.query_key_norm || config.attention_scale != 0)) {
    refuse_config(source,
                  "the {} encoding has its own queries, keys and scales: no head size, norm of q and k, or scale",
                  position_name(config.position));
  }
  const bool scored = config.attention_scale != 0 || config.score_cap != 0 || !config.windows.empty();
  if (config.has_linear_attention() && (scored || config.query_key_norm)) {
    refuse_config(source, "linear attention supports no windows, norms of q and k, scales or caps of scores");
  }
}

}  // namespace

void complete_stack(ModelConfig& config, const std::string& source) {
  complete_windows(config, source);
  check_norms(config, source);
  check_scores(config, source);
}

void check_plain_stack(const ModelConfig& config, const std::string& source) {
  const bool arranged = (config.norms == kPostNorms || config.norms == kPreNorms) && config.attention_norms.empty() &&
                        config.norm != NormKind::layer_without_bias && !config.query_key_norm &&
                        config.parallel_residual == ParallelResidual::none;
  const bool scored = config.attention_scale == 0 && config.score_cap == 0 && config.logit_cap == 0;
  if (arranged && scored && config.embedding_scale == 1 && config.head_size == 0 && config.windows.empty() &&
      config.layer_rotary.empty()) {
    return;
  }
  refuse_config(source,
                "head sizes, windows, scales, caps, per-layer rotations, and norms and residuals other than pre- or "
                "post-norm belong to other families");
}

}  // namespace roformer
