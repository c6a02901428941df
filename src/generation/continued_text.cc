#include "generation/continued_text.h"

#include <algorithm>

#include "base/error.h"

namespace roformer {

ContinuedText::ContinuedText(const Tokenizer& tokenizer, std::span<const int32_t> before,
                             std::span<const std::string> stops)
    : decoder_(tokenizer), stops_(stops) {
  for (const int32_t id : before) decoder_.push(id);  // discard their text
  for (const std::string& stop : stops) {
    if (stop.empty()) throw UsageError("a stop string is empty");
  }
}

std::string ContinuedText::certain(const std::string& more, bool all) {
  if (stopped_) return {};
  held_ += more;
  size_t end = std::string::npos;
  for (const std::string& stop : stops_) end = std::min(end, held_.find(stop));
  if (end != std::string::npos) {
    stopped_ = true;
    return held_.substr(0, end);
  }
  size_t free = held_.size();  // up to a possible beginning of a stop string
  for (const std::string& stop : stops_) {
    const size_t longest = std::min(held_.size(), stop.size() - 1);
    for (size_t length = longest; !all && length > 0; --length) {
      if (!std::string_view(stop).starts_with(std::string_view(held_).substr(held_.size() - length))) continue;
      free = std::min(free, held_.size() - length);
      break;
    }
  }
  std::string result = held_.substr(0, free);
  held_.erase(0, free);
  return result;
}

}  // namespace roformer
