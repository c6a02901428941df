// Entities as tags of tokens, scored as by the conlleval script and seqeval's default mode.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "metrics/metric_set.h"
#include "metrics/precision_recall.h"

namespace roformer {

using Tags = std::vector<std::string>;  // of one sentence

struct EntitySpan {
  int64_t begin = 0, end = 0;  // tokens, the end excluded
  std::string type;
  auto operator<=>(const EntitySpan&) const = default;
};

// The entities of one sentence in order, whatever the scheme: BIO (IOB2), IOB1, IOE1, IOE2, IO, BIOES, BILOU. A tag is
// a prefix B, I, E or L (last token), S or U (single token), then "-" or "_" and a type; "O" is outside. An entity
// starts at B, S, at any tag after O, at another type, and after E or S. A prefix without a type has the type "_"; a
// tag without a prefix ("PER") is one of the type of that name, with I.
std::vector<EntitySpan> entity_spans(const Tags& tags);

// Tags of one sentence that are wrong in BIO and BIOES: I or E that do not follow B or I of their type. The spans take
// them as a start.
int64_t count_repaired_tags(const Tags& tags);

struct EntityScore {
  PrecisionRecall all;                                         // micro average
  std::vector<std::pair<std::string, PrecisionRecall>> types;  // in order of names
  double token_accuracy = 0;
  int64_t repaired = 0;  // count_repaired_tags() of the predictions
};
// A gold entity is found if one of the same tokens and type is predicted. ShapeError if sentences or their lengths
// differ.
EntityScore entity_score(const std::vector<Tags>& gold, const std::vector<Tags>& predicted);

// "precision", "recall", "f1" and "accuracy" (of tokens); an example is a sentence. Errors as above.
MetricSet entity_metrics(const std::vector<Tags>& gold, const std::vector<Tags>& predicted);

}  // namespace roformer
