#include "cli/score_lines.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace roformer {

std::string score_lines(const ScoreTable& scores) {
  size_t width = 10;
  for (const Score& score : scores.scores) width = std::max(width, score.name.size());
  std::string text;
  for (const Score& score : scores.scores) {
    text += fmt::format("{:<{}} ", score.name, width);
    text += std::isfinite(score.value) ? fmt::format("{:.4f}", score.value) : "undefined";
    if (score.interval)
      text += fmt::format("  (95 % interval {:.4f} to {:.4f})", (*score.interval)[0], (*score.interval)[1]);
    text += "\n";
  }
  return text;
}

}  // namespace roformer
