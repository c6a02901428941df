#include "cli/malformed_texts.h"

#include <fmt/ranges.h>

#include <iostream>

#include "base/progress.h"

namespace roformer {

namespace {

constexpr size_t kNamed = 20;  // texts

}  // namespace

const std::vector<std::string>& on_error_names() {
  static const std::vector<std::string> names = {"stop", "skip", "empty"};
  return names;
}

void MalformedTexts::add(int64_t number, const std::string& error) {
  ++count_;
  if (first_.size() == kNamed) return;
  first_.push_back(number);
  std::cerr << fmt::format("roformer: {}; {}\n", error, how_ == OnError::skip ? "left out" : "has no vector");
}

void MalformedTexts::report(int64_t texts) const {
  if (count_ == 0) return;
  const auto more = count_ - static_cast<int64_t>(first_.size());
  std::cerr << fmt::format("roformer: {} {} of {}: number {}{}\n",
                           how_ == OnError::skip ? "left out" : "no vectors for", count_, counted(texts, "text"),
                           fmt::join(first_, ", "), more > 0 ? fmt::format(" and {} more", more) : "");
}

}  // namespace roformer
