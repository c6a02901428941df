#include "data/parallel/pair_filter.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/progress.h"
#include "data/parallel/script.h"

namespace roformer {

namespace {

// The script of each line of a side, and which of them are usual there.
class SideScripts {
 public:
  explicit SideScripts(const LineStore& lines) {
    std::array<int64_t, kScripts> counts{};
    int64_t all = 0;
    scripts_.reserve(static_cast<size_t>(lines.size()));
    for (int64_t i = 0; i < lines.size(); ++i) {
      const Script script = script_of(lines[i]);
      scripts_.push_back(script);
      if (script == Script::none) continue;
      ++counts[static_cast<size_t>(script)];
      ++all;
    }
    for (size_t s = 0; s < counts.size(); ++s) {
      usual_[s] = static_cast<double>(counts[s]) >= PairFilterOptions::kRareScript * static_cast<double>(all);
    }
    usual_[static_cast<size_t>(Script::none)] = true;
  }
  bool usual(int64_t line) const { return usual_[static_cast<size_t>(scripts_[static_cast<size_t>(line)])]; }

 private:
  std::vector<Script> scripts_;
  std::array<bool, kScripts> usual_{};
};

}  // namespace

std::string PairCounts::describe() const {
  std::string reasons;
  for (const auto& [count, what] : {std::pair(empty, "empty"), std::pair(identical, "the same on both sides"),
                                    std::pair(duplicates, "duplicate"), std::pair(scripts, "in another script"),
                                    std::pair(too_long, "too long"), std::pair(ratio, "too different in length")}) {
    if (count > 0) reasons += fmt::format("{}{} {}", reasons.empty() ? "" : ", ", count, what);
  }
  std::string text = counted(read, "pair");
  if (retained < read) text += fmt::format(", {} left out ({})", read - retained, reasons);
  return text;
}

std::vector<int64_t> filter_texts(const ParallelText& text, const PairFilterOptions& options, PairCounts& counts) {
  std::vector<int64_t> retained;
  PairSet seen;
  const SideScripts source(options.scripts ? text.source : LineStore());
  const SideScripts target(options.scripts ? text.target : LineStore());
  counts.read = text.size();
  for (int64_t i = 0; i < text.size(); ++i) {
    const std::string_view one = text.source[i], other = text.target[i];
    if (one.empty() || other.empty()) {
      ++counts.empty;
    } else if (options.identical && one == other) {
      ++counts.identical;
    } else if (options.scripts && !(source.usual(i) && target.usual(i))) {
      ++counts.scripts;
    } else if (options.duplicates && !seen.insert(pair_key(text, i)).second) {
      ++counts.duplicates;
    } else {
      retained.push_back(i);
    }
  }
  counts.retained = std::ssize(retained);
  return retained;
}

bool retains_lengths(int64_t source, int64_t target, const PairFilterOptions& options, PairCounts& counts) {
  const auto [shorter, longer] = std::minmax(source, target);
  if (options.max_tokens > 0 && longer > options.max_tokens) {
    ++counts.too_long;
  } else if (options.max_ratio > 0 && static_cast<double>(longer - PairFilterOptions::kRatioMargin) >
                                          options.max_ratio * static_cast<double>(shorter)) {
    ++counts.ratio;
  } else {
    return true;
  }
  --counts.retained;
  return false;
}

}  // namespace roformer
