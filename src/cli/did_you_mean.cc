#include "cli/did_you_mean.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/edit_distance.h"

namespace roformer {

std::string did_you_mean(std::string_view word, std::span<const std::string> candidates) {
  constexpr size_t kMaxWordBytes = 100;  // the distance costs the product of both lengths
  if (word.size() > kMaxWordBytes) return "";
  const std::string* best = nullptr;
  size_t best_distance = std::max<size_t>(2, word.size() / 3) + 1;
  for (const std::string& candidate : candidates) {
    // A prefix, as typed by somebody who expects completion, is nearer than any misspelling.
    const bool begins = word.size() > 3 && candidate.starts_with(word);
    const size_t distance = begins ? 0 : edit_distance(word, candidate);
    if (distance >= best_distance) continue;
    best = &candidate;
    best_distance = distance;
  }
  return best == nullptr ? "" : fmt::format("; did you mean {}?", *best);
}

}  // namespace roformer
