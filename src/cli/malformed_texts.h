// --on-error: what happens to texts that cannot be processed.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cli/options.h"

namespace roformer {

enum class OnError { stop, skip, empty };

const std::vector<std::string>& on_error_names();  // in the order of the enum

// Counts and names them.
class MalformedTexts {
 public:
  explicit MalformedTexts(OnError how) : how_(how) {}
  // Those of a run that is continued.
  void restore(int64_t count, std::vector<int64_t> first) {
    count_ = count;
    first_ = std::move(first);
  }

  OnError how() const { return how_; }
  bool kept() const { return how_ != OnError::stop; }
  // Names the first few on standard error. `error` begins with the text's location.
  void add(int64_t number, const std::string& error);
  // "left out 3 of 100 texts: 5, 17, 60", where there are any.
  void report(int64_t texts) const;

  int64_t count() const { return count_; }
  const std::vector<int64_t>& first() const { return first_; }

 private:
  OnError how_;
  int64_t count_ = 0;
  std::vector<int64_t> first_;
};

}  // namespace roformer
