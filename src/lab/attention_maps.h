// Attention of a model: what each head of each layer attends to in a text, and how query-key scores depend on distance.
// Works for every position encoding: scores are computed from the inputs of attention, in double precision.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "models/model.h"
#include "report/heat_map.h"
#include "report/html_page.h"
#include "report/plot.h"
#include "text/tokenizer.h"

namespace roformer {

struct AttentionMaps {
  std::vector<std::string> tokens;          // [S], specials included
  std::vector<std::vector<HeatMap>> heads;  // [layer][head]; row = query, column = key, a row sums to 1
};

inline constexpr int64_t kMaxMapTokens = 128;

// DataError for a text of more than kMaxMapTokens tokens, and for more than 16 million cells in all.
AttentionMaps attention_maps(const Model& model, const Tokenizer& tokenizer, const std::string& text);

// Scores before the softmax, scale · q·k and what the encoding adds, by the distance r = position of the key − position
// of the query, averaged over the heads of a layer.
class ScoresByDistance {
 public:
  static constexpr int64_t kReach = 128;      // distances −128 … 128
  static constexpr int64_t kMaxTokens = 512;  // of a text, if the model takes as many; the rest is truncated

  // Points to both, so it cannot be copied.
  ScoresByDistance(const Model& model, const Tokenizer& tokenizer);
  ScoresByDistance(const ScoresByDistance&) = delete;
  ScoresByDistance& operator=(const ScoresByDistance&) = delete;
  void add(const std::string& text);

  // The mean over all pairs of tokens at each distance, left out where there are less than a hundredth as many pairs as
  // at distance 0: a mean of few is not informative.
  std::vector<PlotSeries> measured() const;
  // q̄ᵀ R_r k̄ of the mean query and the mean key before rotation: by linearity the mean score of all queries with all
  // keys at distance r, so what the layer prefers independently of the tokens. Empty unless positions are rotary.
  std::vector<PlotSeries> of_means() const;

  int64_t texts() const { return texts_; }
  int64_t tokens() const { return tokens_; }
  int64_t shortened() const { return shortened_; }  // texts of more than longest() tokens
  int64_t longest() const { return longest_; }

 private:
  struct Layer {
    std::vector<double> pairs, sums;    // [2·kReach + 1] by distance: pairs of tokens, and their scores
    std::vector<double> queries, keys;  // [H] sums of the vectors before rotation
    double scale = 0;
  };
  const Model& model_;
  const Tokenizer& tokenizer_;
  std::optional<RotaryFrequencies> frequencies_;  // of plain rotary positions
  std::vector<Layer> layers_;
  int64_t longest_ = kMaxTokens;
  int64_t texts_ = 0, tokens_ = 0, shortened_ = 0;
};

// The sections of a page.
void add_attention_maps(HtmlPage& page, const AttentionMaps& maps);
void add_scores_by_distance(HtmlPage& page, const ScoresByDistance& scores);

}  // namespace roformer
