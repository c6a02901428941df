#include "data/labeled/split.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "base/error.h"
#include "base/random.h"

namespace roformer {
namespace {

std::vector<size_t> shuffled_indices(size_t count, Generator& random) {
  std::vector<size_t> order(count);
  std::iota(order.begin(), order.end(), size_t{0});
  for (size_t i = count; i > 1; --i) std::swap(order[i - 1], order[random.below(i)]);
  return order;
}

void check_folds(size_t count, int64_t folds) {
  if (folds < 2) throw UsageError("{} is {}, expected at least 2", FieldName("folds"), folds);
  if (count < static_cast<size_t>(folds)) throw DataError("{} examples are too few for {} folds", count, folds);
}

// Which texts each example has, by number; equal texts have one number.
struct TextGraph {
  std::vector<std::vector<size_t>> texts_of;     // of an example, each once
  std::vector<std::vector<size_t>> examples_of;  // of a text

  explicit TextGraph(std::span<const Example> examples) {
    std::unordered_map<std::string_view, size_t> numbers;
    for (size_t example = 0; example < examples.size(); ++example) {
      std::vector<size_t>& texts = texts_of.emplace_back();
      for (const std::string& text : examples[example].texts) {
        const auto [entry, fresh] = numbers.try_emplace(text, examples_of.size());
        if (fresh) examples_of.emplace_back();
        if (std::find(texts.begin(), texts.end(), entry->second) != texts.end()) continue;
        texts.push_back(entry->second);
        examples_of[entry->second].push_back(example);
      }
    }
  }

  // The texts that hang together through examples, one list a group.
  std::vector<std::vector<size_t>> groups() const {
    std::vector<std::vector<size_t>> groups;
    std::vector<bool> seen(examples_of.size());
    for (size_t start = 0; start < seen.size(); ++start) {
      if (seen[start]) continue;
      std::vector<size_t>& group = groups.emplace_back(1, start);
      seen[start] = true;
      for (size_t i = 0; i < group.size(); ++i) {
        for (const size_t example : examples_of[group[i]]) {
          for (const size_t text : texts_of[example]) {
            if (!seen[text]) group.push_back(text);
            seen[text] = true;
          }
        }
      }
    }
    return groups;
  }
};

// A part for each text: whole groups where they fit, else each text at random, improved by local search.
class TextPartition {
 public:
  TextPartition(const TextGraph& graph, size_t parts, Generator& random) : graph_(graph), sizes_(parts) {
    part_of_.resize(graph.examples_of.size());
    std::vector<std::vector<size_t>> groups = graph.groups();
    const std::vector<size_t> order = shuffled_indices(groups.size(), random);
    std::vector<std::vector<size_t>> shuffled;
    shuffled.reserve(groups.size());
    for (const size_t group : order) shuffled.push_back(std::move(groups[group]));
    std::stable_sort(shuffled.begin(), shuffled.end(),
                     [](const auto& a, const auto& b) { return a.size() > b.size(); });
    const size_t fair = (part_of_.size() + parts - 1) / parts;
    for (const std::vector<size_t>& group : shuffled) {
      const bool whole = group.size() <= fair;
      const size_t smallest = static_cast<size_t>(std::min_element(sizes_.begin(), sizes_.end()) - sizes_.begin());
      for (const size_t text : group) {
        part_of_[text] = whole ? smallest : random.below(parts);
        ++sizes_[part_of_[text]];
        if (!whole) loose_.push_back(text);
      }
    }
    constexpr int kSweeps = 30;
    for (int sweep = 0; sweep < kSweeps && improve(random); ++sweep) {
    }
  }

  size_t operator[](size_t text) const { return part_of_[text]; }

 private:
  // Moves each loose text to the part where most of its examples' other texts are, in random order; false if all stay.
  bool improve(Generator& random) {
    bool moved = false;
    std::vector<int64_t> gains(sizes_.size());
    for (const size_t place : shuffled_indices(loose_.size(), random)) {
      const size_t text = loose_[place];
      weigh(text, gains);
      const auto best = static_cast<size_t>(std::max_element(gains.begin(), gains.end()) - gains.begin());
      size_t& part = part_of_[text];
      if (gains[best] <= gains[part]) continue;
      --sizes_[part];
      ++sizes_[best];
      part = best;
      moved = true;
    }
    return moved;
  }

  // What a part gains by the text: an example that becomes whole counts six times as much as one of its texts, and each
  // text that the part is larger than a fair share costs about one.
  void weigh(size_t text, std::vector<int64_t>& gains) const {
    std::fill(gains.begin(), gains.end(), 0);
    for (const size_t example : graph_.examples_of[text]) {
      const std::vector<size_t>& texts = graph_.texts_of[example];
      std::optional<size_t> only;
      bool same = true;
      for (const size_t other : texts) {
        if (other == text) continue;
        const size_t part = part_of_[other];
        ++gains[part];
        same = same && (!only || *only == part);
        only = part;
      }
      if (only && same) gains[*only] += 6;
    }
    const auto texts = static_cast<int64_t>(part_of_.size()), parts = static_cast<int64_t>(sizes_.size());
    for (size_t part = 0; part < sizes_.size(); ++part) {
      const int64_t size = static_cast<int64_t>(sizes_[part]) - (part_of_[text] == part ? 1 : 0);
      gains[part] -= std::max<int64_t>(0, size - texts / parts) * 6 / 5;
    }
  }

  const TextGraph& graph_;
  std::vector<size_t> part_of_, sizes_, loose_;
};

}  // namespace

ExampleSplit split_examples(size_t count, double fraction, uint64_t seed) {
  if (!(fraction > 0 && fraction < 1)) {
    throw UsageError("{} is {}, expected a number between 0 and 1", FieldName("validation_fraction"), fraction);
  }
  if (count < 2) throw DataError("{} examples are too few to hold some out for validation", count);
  Generator random({.seed = seed});
  std::vector<size_t> order = shuffled_indices(count, random);
  const double wanted = std::round(fraction * static_cast<double>(count));
  const size_t held = std::clamp<size_t>(static_cast<size_t>(wanted), 1, count - 1);
  const auto middle = order.begin() + static_cast<std::ptrdiff_t>(held);
  ExampleSplit split{.train = {middle, order.end()}, .validation = {order.begin(), middle}};
  std::sort(split.train.begin(), split.train.end());
  std::sort(split.validation.begin(), split.validation.end());
  return split;
}

std::vector<ExampleSplit> split_folds(size_t count, int64_t folds, uint64_t seed) {
  check_folds(count, folds);
  Generator random({.seed = seed});
  const std::vector<size_t> order = shuffled_indices(count, random);
  std::vector<size_t> fold_of(count);
  for (size_t i = 0; i < count; ++i) fold_of[order[i]] = i % static_cast<size_t>(folds);
  std::vector<ExampleSplit> splits(static_cast<size_t>(folds));
  for (size_t example = 0; example < count; ++example) {
    for (size_t fold = 0; fold < splits.size(); ++fold) {
      (fold == fold_of[example] ? splits[fold].validation : splits[fold].train).push_back(example);
    }
  }
  return splits;
}

std::vector<ExampleSplit> disjoint_folds(std::span<const Example> examples, int64_t folds, uint64_t seed) {
  check_folds(examples.size(), folds);
  Generator random({.seed = seed});
  const TextGraph graph(examples);
  const TextPartition part_of(graph, static_cast<size_t>(folds), random);
  std::vector<ExampleSplit> splits(static_cast<size_t>(folds));
  for (size_t example = 0; example < examples.size(); ++example) {
    for (size_t fold = 0; fold < splits.size(); ++fold) {
      const std::vector<size_t>& texts = graph.texts_of[example];
      const auto within = std::count_if(texts.begin(), texts.end(), [&](size_t text) { return part_of[text] == fold; });
      if (within == 0) splits[fold].train.push_back(example);
      if (within == static_cast<std::ptrdiff_t>(texts.size())) splits[fold].validation.push_back(example);
    }
  }
  for (const ExampleSplit& split : splits) {
    if (split.train.empty() || split.validation.empty()) {
      throw DataError("the examples share too many texts for {} folds without a text on both sides", folds);
    }
  }
  return splits;
}

}  // namespace roformer
