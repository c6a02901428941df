#include "metrics/translation/ter.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <optional>
#include <tuple>
#include <vector>

#include "base/utf8.h"
#include "metrics/translation/beam_edit_distance.h"
#include "metrics/translation/words.h"
#include "text/unicode.h"

namespace roformer {
namespace {

using TerWords = std::vector<uint32_t>;

constexpr size_t kLongestBlock = 10;      // words that move together
constexpr size_t kLongestMove = 50;       // words between the place of a block and its place in the reference
constexpr int64_t kMaxCandidates = 1000;  // in all rounds of one pair of texts

TerWords ter_words(std::string_view text, WordNumbers& numbers) {
  return numbers.of_words(to_lower(without_trailing_spaces(to_code_points(text))));
}

// The `length` words from `start` on are moved before word `target`; within them, as far to the right.
struct Move {
  size_t start = 0, length = 0, target = 0;
};

void perform(const TerWords& words, const Move& move, TerWords& result) {
  const size_t end = move.start + move.length;
  const auto at = [&](size_t i) { return words.begin() + static_cast<int64_t>(std::min(i, words.size())); };
  result.assign(words.begin(), at(std::min(move.start, move.target)));
  const auto append = [&](size_t from, size_t to) { result.insert(result.end(), at(from), at(to)); };
  if (move.target < move.start) {
    append(move.start, end);
    append(move.target, move.start);
    append(end, words.size());
    return;
  }
  const size_t behind = move.target > end ? move.target : move.target + move.length;
  append(end, behind);
  append(move.start, end);
  append(behind, words.size());
}

// One round of the search: the best of the moves that bring words to where the reference has them.
class MoveSearch {
 public:
  MoveSearch(const TerWords& words, std::span<const uint32_t> reference, BeamEditDistance& distance)
      : words_(words), reference_(reference), distance_(distance), before_(distance.set(words)) {
    alignment_ = distance.alignment();
  }

  // Words after the best move if that saves more than it costs. `candidates` counts what was tried; at kMaxCandidates
  // the search ends without a result.
  std::optional<TerWords> run(int64_t& candidates) {
    for (size_t start = 0; start < words_.size(); ++start) {
      const size_t first = start < kLongestMove ? 0 : start - kLongestMove;
      const size_t last = std::min(reference_.size(), start + kLongestMove + 1);
      for (size_t place = first; place < last; ++place) {
        for (size_t length = 1; length <= kLongestBlock && matches(start, place, length); ++length) {
          try_block(start, place, length, candidates);
          if (candidates >= kMaxCandidates) return std::nullopt;
        }
      }
    }
    if (gain_ <= 0) return std::nullopt;
    perform(words_, best_, moved_);
    return moved_;
  }

 private:
  // Whether the last word of a block is the same on both sides; the ones before it are.
  bool matches(size_t start, size_t place, size_t length) const {
    return start + length <= words_.size() && place + length <= reference_.size() &&
           words_[start + length - 1] == reference_[place + length - 1];
  }

  // Moves a block that is wrong where it is, to where it would be right, beside each of the words that align with it.
  void try_block(size_t start, size_t place, size_t length, int64_t& candidates) {
    const auto any_wrong = [length](const std::vector<uint8_t>& wrong, size_t from) {
      return std::any_of(wrong.begin() + static_cast<int64_t>(from),
                         wrong.begin() + static_cast<int64_t>(from + length), [](uint8_t one) { return one != 0; });
    };
    if (!any_wrong(alignment_.hypothesis_wrong, start) || !any_wrong(alignment_.reference_wrong, place)) return;
    const int64_t aligned = alignment_.hypothesis_of[place];
    if (aligned >= static_cast<int64_t>(start) && aligned < static_cast<int64_t>(start + length)) return;
    std::optional<size_t> last;
    for (size_t i = 0; i <= length; ++i) {  // the word before the block, and each of its words
      const size_t word = place + i;
      const size_t target = word == 0 ? 0 : static_cast<size_t>(alignment_.hypothesis_of[word - 1] + 1);
      if (target == last) continue;
      last = target;
      ++candidates;
      consider({.start = start, .length = length, .target = target});
    }
  }

  // Keeps the move if it saves more; or as much, and is longer; or is as long, and earlier.
  void consider(const Move& move) {
    perform(words_, move, moved_);
    const int64_t least = std::max<int64_t>(gain_, 1);
    const int64_t gain = before_ - distance_.of_neighbor(moved_, std::min(move.start, move.target), before_ - least);
    if (gain < least) return;
    const auto rank = [](const Move& of) { return std::tuple(of.length, ~of.start, ~of.target); };
    if (gain > gain_ || rank(move) > rank(best_)) {
      gain_ = gain;
      best_ = move;
    }
  }

  const TerWords& words_;
  std::span<const uint32_t> reference_;
  BeamEditDistance& distance_;
  int64_t before_;
  WordAlignment alignment_;
  Move best_;
  int64_t gain_ = 0;
  TerWords moved_;
};

}  // namespace

int64_t ter_edits(std::span<const uint32_t> hypothesis, std::span<const uint32_t> reference) {
  if (reference.empty()) return std::ssize(hypothesis);
  BeamEditDistance distance(reference, hypothesis.size());
  TerWords words(hypothesis.begin(), hypothesis.end());
  int64_t moves = 0, candidates = 0;
  while (std::optional<TerWords> moved = MoveSearch(words, reference, distance).run(candidates)) {
    words = std::move(*moved);
    ++moves;
  }
  return moves + distance.set(words);
}

void TerStatistics::add(const TerStatistics& other, int64_t times) {
  edits += times * other.edits;
  reference_length += static_cast<double>(times) * other.reference_length;
}

TerStatistics ter_statistics(std::string_view hypothesis, std::span<const std::string_view> references) {
  WordNumbers numbers;
  const TerWords words = ter_words(hypothesis, numbers);
  TerStatistics result{.edits = std::numeric_limits<int64_t>::max()};
  int64_t lengths = 0;
  for (const std::string_view reference : references) {
    const TerWords others = ter_words(reference, numbers);
    result.edits = std::min(result.edits, ter_edits(words, others));
    lengths += std::ssize(others);
  }
  result.reference_length = static_cast<double>(lengths) / static_cast<double>(references.size());
  return result;
}

double ter_score(const TerStatistics& sums) {
  if (sums.reference_length > 0) return 100 * (static_cast<double>(sums.edits) / sums.reference_length);
  return sums.edits > 0 ? 100 : 0;
}

std::string ter_signature(int64_t references) {
  return fmt::format("nrefs:{}|case:lc|tok:tercom|norm:no|punct:yes|asian:no|version:{}", references,
                     kSacreBleuVersion);
}

}  // namespace roformer
