// Answers that are parts of a context (question answering).
#pragma once

#include "data/labeled/example.h"
#include "data/labeled/notices.h"

namespace roformer {

// The code points of a text by number, at a cost of its length once. `text` must outlive it and be valid UTF-8.
class CodePointIndex {
 public:
  explicit CodePointIndex(std::string_view text);

  int64_t size() const { return size_; }
  size_t byte(int64_t code_point) const;  // in [0, size()]
  int64_t code_point(size_t byte) const;  // of the one that begins there or holds it
  std::string_view text() const { return text_; }

 private:
  std::string_view text_;
  int64_t size_ = 0;
  std::vector<size_t> every_;  // the byte of every kStep-th code point
};

// Checks that each answer is in the context where it says, which an answer without a place is taken to be from. One
// that is elsewhere is moved to the nearest occurrence, one that is nowhere gets begin -1; both are counted.
void locate_answers(const CodePointIndex& context, Example& example, Notices& notices);

}  // namespace roformer
