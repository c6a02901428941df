#include "data/labeled/answers.h"

#include <algorithm>

#include "base/utf8.h"

namespace roformer {
namespace {

constexpr int64_t kStep = 64;

// The occurrence of `answer` nearest to byte `near`, the earlier of two as near; npos if there is none.
size_t nearest_occurrence(std::string_view context, std::string_view answer, size_t near) {
  const size_t after = context.find(answer, near);
  const size_t before = near == 0 ? std::string_view::npos : context.rfind(answer, near - 1);
  if (before == std::string_view::npos || after == std::string_view::npos) return std::min(before, after);
  return near - before <= after - near ? before : after;
}

}  // namespace

CodePointIndex::CodePointIndex(std::string_view text) : text_(text) {
  for (size_t byte = 0; byte < text.size(); ++byte) {
    if (begins_code_point(text[byte]) && size_++ % kStep == 0) every_.push_back(byte);
  }
}

size_t CodePointIndex::byte(int64_t code_point) const {
  if (code_point >= size_) return text_.size();
  size_t byte = every_[static_cast<size_t>(code_point / kStep)];
  for (int64_t rest = code_point % kStep; rest > 0; --rest) {
    do ++byte;
    while (byte < text_.size() && !begins_code_point(text_[byte]));
  }
  return byte;
}

int64_t CodePointIndex::code_point(size_t byte) const {
  const auto after = std::upper_bound(every_.begin(), every_.end(), byte);
  if (after == every_.begin()) return 0;
  const size_t start = *(after - 1);
  return (after - every_.begin() - 1) * kStep + count_code_points(text_.substr(start, byte - start));
}

void locate_answers(const CodePointIndex& context, Example& example, Notices& notices) {
  for (AnswerSpan& answer : example.answers) {
    const bool placed = answer.begin >= 0 && answer.begin <= context.size();
    const size_t said = placed ? context.byte(answer.begin) : 0;
    if (placed && context.text().substr(said).starts_with(answer.text)) continue;
    const bool unplaced = answer.begin < 0;
    const size_t found =
        answer.text.empty() ? std::string_view::npos : nearest_occurrence(context.text(), answer.text, said);
    if (found == std::string_view::npos) {
      answer.begin = -1;
      notices.count("found", "answer", "nowhere in their contexts", example.line);
      continue;
    }
    answer.begin = context.code_point(found);
    if (!unplaced) notices.count("moved", "answer", "to where the context has it", example.line);
  }
}

}  // namespace roformer
