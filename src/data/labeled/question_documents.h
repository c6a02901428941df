// Documents with questions on their texts, in one JSON value: SQuAD's and C3's; and answers as records have them.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "data/labeled/example_maker.h"

namespace roformer {

// {"data": [{"paragraphs": [{"context", "qas": [{"id", "question", "answers": [{"text", "answer_start"}],
// "is_impossible"}]}]}]}; answer_start counts code points. A question without answers has no label unless
// "is_impossible" is true. `questions` counts those of the file. DataError naming the question for other structures.
void read_squad(const Json& document, const std::string& path, int64_t& questions, ExampleMaker& maker);

// [[utterances], [{"question", "choice", "answer"}], id], with or without answers.
void read_c3(const Json& document, const std::string& path, int64_t& questions, ExampleMaker& maker);

// {"text": [...], "answer_start": [...]}, a list of {"text", "answer_start"} or of texts, or a text; nothing for null.
// `where` starts messages.
std::optional<std::vector<AnswerSpan>> read_answers(const Json& value, const std::string& path, int64_t line);

}  // namespace roformer
