#include "metrics/entities.h"

#include <algorithm>
#include <limits>
#include <map>
#include <string_view>

#include "base/error.h"

namespace roformer {
namespace {

struct TagParts {
  char prefix = 'O';      // O, B, I, E or S; 0 of a tag that is a type alone
  std::string_view type;  // empty of O
};

TagParts split_tag(std::string_view tag) {
  constexpr std::string_view kBare = "_";
  if (tag.empty()) return {};
  const bool separated = tag.size() > 1 && (tag[1] == '-' || tag[1] == '_');
  if (tag.size() > 1 && !separated) return {.prefix = 0, .type = tag};
  const std::string_view type = tag.size() > 2 ? tag.substr(2) : kBare;
  switch (tag[0]) {
    case 'O': return {};
    case 'B': return {.prefix = 'B', .type = type};
    case 'I': return {.prefix = 'I', .type = type};
    case 'E':
    case 'L': return {.prefix = 'E', .type = type};
    case 'S':
    case 'U': return {.prefix = 'S', .type = type};
    default: return {.prefix = 0, .type = tag};
  }
}

// Whether the entity that `before` belongs to may go on at the next token.
bool goes_on(const TagParts& before) { return before.prefix == 'B' || before.prefix == 'I' || before.prefix == 0; }

bool continues(const TagParts& before, const TagParts& tag) {
  return goes_on(before) && tag.prefix != 'O' && tag.prefix != 'B' && tag.prefix != 'S' && before.type == tag.type;
}

// What a sentence adds to the sums.
struct SentenceCounts {
  int64_t matched = 0, predicted = 0, gold = 0;
  int64_t right_tokens = 0, tokens = 0;
};
using TypeCounts = std::map<std::string, SentenceCounts>;

void require_equal_tokens(const std::vector<Tags>& gold, const std::vector<Tags>& predicted) {
  if (gold.size() != predicted.size()) {
    throw ShapeError("{} gold sentences and {} predicted ones", gold.size(), predicted.size());
  }
  for (size_t i = 0; i < gold.size(); ++i) {
    if (gold[i].size() != predicted[i].size()) {
      throw ShapeError("sentence {} has {} gold tags and {} predicted ones", i, gold[i].size(), predicted[i].size());
    }
  }
}

// Entities go to `types`, if it is wanted, and into the result, which has the tokens, too.
SentenceCounts count_sentence(const Tags& gold, const Tags& predicted, TypeCounts* types) {
  SentenceCounts result{.tokens = std::ssize(gold)};
  for (size_t i = 0; i < gold.size(); ++i) result.right_tokens += gold[i] == predicted[i];
  const auto count = [&](const std::string& type, int64_t SentenceCounts::*what) {
    ++(result.*what);
    if (types != nullptr) ++((*types)[type].*what);
  };
  const std::vector<EntitySpan> found = entity_spans(predicted), wanted = entity_spans(gold);
  for (const EntitySpan& span : wanted) count(span.type, &SentenceCounts::gold);
  for (const EntitySpan& span : found) {
    count(span.type, &SentenceCounts::predicted);
    if (std::ranges::binary_search(wanted, span)) count(span.type, &SentenceCounts::matched);
  }
  return result;
}

void add_times(SentenceCounts& sum, const SentenceCounts& one, int64_t times) {
  sum.matched += one.matched * times;
  sum.predicted += one.predicted * times;
  sum.gold += one.gold * times;
  sum.right_tokens += one.right_tokens * times;
  sum.tokens += one.tokens * times;
}

PrecisionRecall score_of(const SentenceCounts& counts) {
  return precision_recall(counts.matched, counts.predicted, counts.gold);
}

double token_accuracy(const SentenceCounts& counts) {
  return static_cast<double>(counts.right_tokens) / static_cast<double>(counts.tokens);
}

}  // namespace

std::vector<EntitySpan> entity_spans(const Tags& tags) {
  std::vector<EntitySpan> spans;
  TagParts before;
  for (size_t i = 0; i < tags.size(); ++i) {
    const TagParts tag = split_tag(tags[i]);
    const auto at = static_cast<int64_t>(i);
    if (continues(before, tag)) {
      spans.back().end = at + 1;
    } else if (tag.prefix != 'O') {
      spans.push_back({.begin = at, .end = at + 1, .type = std::string(tag.type)});
    }
    before = tag;
  }
  return spans;
}

int64_t count_repaired_tags(const Tags& tags) {
  int64_t repaired = 0;
  TagParts before;
  for (const std::string& text : tags) {
    const TagParts tag = split_tag(text);
    if ((tag.prefix == 'I' || tag.prefix == 'E') && !continues(before, tag)) ++repaired;
    before = tag;
  }
  return repaired;
}

EntityScore entity_score(const std::vector<Tags>& gold, const std::vector<Tags>& predicted) {
  require_equal_tokens(gold, predicted);
  EntityScore result;
  SentenceCounts all;
  TypeCounts types;
  for (size_t i = 0; i < gold.size(); ++i) {
    add_times(all, count_sentence(gold[i], predicted[i], &types), 1);
    result.repaired += count_repaired_tags(predicted[i]);
  }
  result.all = score_of(all);
  result.token_accuracy = token_accuracy(all);
  for (const auto& [type, counts] : types) result.types.emplace_back(type, score_of(counts));
  return result;
}

MetricSet entity_metrics(const std::vector<Tags>& gold, const std::vector<Tags>& predicted) {
  require_equal_tokens(gold, predicted);
  std::vector<SentenceCounts> sentences;
  for (size_t i = 0; i < gold.size(); ++i) sentences.push_back(count_sentence(gold[i], predicted[i], nullptr));
  return {.examples = std::ssize(sentences),
          .names = {"precision", "recall", "f1", "accuracy"},
          .values = [sentences = std::move(sentences)](std::span<const int32_t> times) -> std::vector<double> {
            SentenceCounts all;
            for (size_t i = 0; i < sentences.size(); ++i) add_times(all, sentences[i], times[i]);
            const PrecisionRecall score = score_of(all);
            return {score.precision, score.recall, score.f1, token_accuracy(all)};
          }};
}

}  // namespace roformer
