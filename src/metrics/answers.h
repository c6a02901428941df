// Answers to questions about a text, compared with the right ones.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "metrics/metric_set.h"

namespace roformer {

// From 0 to 1 each; of several right answers the best.
struct AnswerScore {
  double exact_match = 0, f1 = 0;
};

// As SQuAD's script (Rajpurkar et al. 2016, 2018): words without case, ASCII punctuation and English articles; F1 of
// the words in common. No right answer means that the question has none: an empty prediction is right. Valid UTF-8.
AnswerScore squad_score(std::string_view prediction, std::span<const std::string> answers);

// As the script of CMRC 2018 (Cui et al. 2019), also used for DRCD: ideographs and the words between them without case
// and Chinese punctuation; F1 of the longest segment in common. Words are divided as by NLTK's tokenizer except
// at apostrophes. No right answer as above. Valid UTF-8.
AnswerScore cmrc_score(std::string_view prediction, std::span<const std::string> answers);

// "exact_match" and "f1": means.
MetricSet answer_metrics(const std::vector<AnswerScore>& scores);

}  // namespace roformer
