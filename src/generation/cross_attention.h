// The attention of a decoder to its source, for alignment and the coverage penalty: one layer's weights, averaged over
// heads, a row at a time. All layers' would be an array of target × source tokens each.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "models/config.h"
#include "ops/context.h"

namespace roformer {

// The layer, from 0, whose attention says what is the translation of what: number `chosen`, which counts from 1, else
// the middle one (that of the first half's end: 3 of 6, 1 of 2), which Chen et al. 2020 found to align best. UsageError
// for one that the decoder does not have.
int64_t alignment_layer(const ModelConfig& config, std::optional<int64_t> chosen);

class CrossAttentionRows final : public AttentionObserver {
 public:
  // Gets the weights of a query, row `row` of the pass, to the tokens of source `source`; they sum to 1. Called for one
  // row of a source after the other, at once for several sources.
  using Look = std::function<void(size_t source, int64_t row, std::span<const double> weights)>;
  // `layers`: of the decoder, all of which every pass computes.
  CrossAttentionRows(Backend& backend, int64_t layers, int64_t layer, Look look)
      : backend_(backend), layers_(layers), layer_(layer), look_(std::move(look)) {}

  void observe(const AttentionSpec& spec, const AttentionTensors& in) override;

 private:
  Backend& backend_;
  int64_t layers_, layer_, next_ = 0;
  Look look_;
};

}  // namespace roformer
