#include "data/masking.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/error.h"

namespace roformer {

namespace {

void check(const MaskingOptions& options) {
  const auto is_share = [](double value) { return value >= 0 && value <= 1; };
  if (!is_share(options.probability) || !is_share(options.mask_share) || !is_share(options.random_share) ||
      options.mask_share + options.random_share > 1 + 1e-9) {
    throw UsageError("masking shares must be within 0 and 1 and sum to at most 1: probability {}, mask {}, random {}",
                     options.probability, options.mask_share, options.random_share);
  }
}

struct Unit {  // rows [begin, end) that are selected together
  int32_t begin, end;
};

std::vector<Unit> find_units(std::span<const int32_t> ids, const MaskingVocabulary& vocabulary, bool whole_words) {
  std::vector<Unit> units;
  for (size_t i = 0; i < ids.size(); ++i) {
    if (ids[i] < 0 || static_cast<size_t>(ids[i]) >= vocabulary.special.size()) {
      throw DataError("token id {} is outside the vocabulary of {}", ids[i], vocabulary.special.size());
    }
    const auto id = static_cast<size_t>(ids[i]);
    const auto row = static_cast<int32_t>(i);
    if (vocabulary.special[id]) continue;
    if (whole_words && vocabulary.continuation[id] && !units.empty() && units.back().end == row) {
      ++units.back().end;
    } else {
      units.push_back({row, row + 1});
    }
  }
  return units;
}

std::vector<int32_t> choose_rows(std::vector<Unit> units, double probability, Generator& generator) {
  int64_t candidates = 0;
  for (const Unit& unit : units) candidates += unit.end - unit.begin;
  const int64_t wanted = std::max<int64_t>(1, std::llround(probability * static_cast<double>(candidates)));
  std::vector<int32_t> rows;
  const auto choose = [&rows](const Unit& unit) {
    for (int32_t row = unit.begin; row < unit.end; ++row) rows.push_back(row);
  };
  // Incremental Fisher-Yates, so that single tokens need only as many draws as selected rows.
  for (size_t i = 0; i < units.size() && static_cast<int64_t>(rows.size()) < wanted; ++i) {
    std::swap(units[i], units[i + generator.below(units.size() - i)]);
    const int64_t after = static_cast<int64_t>(rows.size()) + units[i].end - units[i].begin;
    if (after <= wanted) choose(units[i]);
  }
  if (rows.empty() && !units.empty()) choose(units[0]);
  std::sort(rows.begin(), rows.end());
  return rows;
}

}  // namespace

MaskingVocabulary::MaskingVocabulary(const Tokenizer& tokenizer, int64_t rows) : mask_id(tokenizer.mask_id()) {
  for (int32_t id = 0; id < tokenizer.vocabulary_size(); ++id) {
    special.push_back(tokenizer.is_special(id));
    continuation.push_back(tokenizer.is_continuation(id));
    if (!special.back() && id < rows) ordinary.push_back(id);
  }
}

MaskedSequence mask_sequence(std::span<const int32_t> ids, const MaskingOptions& options,
                             const MaskingVocabulary& vocabulary, RandomStream stream) {
  check(options);
  Generator generator(stream);
  MaskedSequence result{{ids.begin(), ids.end()}, {}, {}};
  result.rows = choose_rows(find_units(ids, vocabulary, options.whole_words), options.probability, generator);
  for (const int32_t row : result.rows) {
    int32_t& id = result.ids[static_cast<size_t>(row)];
    result.labels.push_back(id);
    const double draw = generator.uniform();
    if (draw < options.mask_share) {
      id = vocabulary.mask_id;
    } else if (draw < options.mask_share + options.random_share) {
      id = vocabulary.ordinary[generator.below(vocabulary.ordinary.size())];
    }
  }
  return result;
}

}  // namespace roformer
