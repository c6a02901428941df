#include "tasks/continued_text.h"

#include <algorithm>

#include "base/error.h"

namespace roformer {

namespace {

constexpr size_t kContext = 8;                             // tokens that may have a say in what the next one looks like
constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // what stands for bytes that are no character (yet)

}  // namespace

TextDecoder::TextDecoder(const Tokenizer& tokenizer, std::span<const int32_t> before) : tokenizer_(tokenizer) {
  const auto last = before.last(std::min(kContext, before.size()));
  ids_.assign(last.begin(), last.end());
  given_ = ids_.size();
}

std::string TextDecoder::push(int32_t id) {
  ids_.push_back(id);
  return taken(false);
}

std::string TextDecoder::finish() { return taken(true); }

std::string TextDecoder::taken(bool all) {
  const std::string before = tokenizer_.decode(std::span(ids_).first(given_)), text = tokenizer_.decode(ids_);
  if (text.size() <= before.size()) return {};
  // Four bytes at most make a character: what is none after three more tokens is none.
  constexpr size_t kMostIncomplete = 3;
  if (!all && text.ends_with(kReplacement) && ids_.size() - given_ <= kMostIncomplete) return {};
  std::string result = text.substr(before.size());
  if (ids_.size() > kContext) ids_.erase(ids_.begin(), ids_.end() - kContext);
  given_ = ids_.size();
  return result;
}

ContinuedText::ContinuedText(const Tokenizer& tokenizer, std::span<const int32_t> before,
                             std::span<const std::string> stops)
    : decoder_(tokenizer, before), stops_(stops) {
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
  size_t free = held_.size();  // of what may begin a stop string
  for (const std::string& stop : stops_) {
    const size_t most = std::min(held_.size(), stop.size() - 1);
    for (size_t length = most; !all && length > 0; --length) {
      if (!std::string_view(stop).starts_with(std::string_view(held_).substr(held_.size() - length))) continue;
      free = std::min(free, held_.size() - length);
      break;
    }
  }
  const std::string result = held_.substr(0, free);
  held_.erase(0, free);
  return result;
}

}  // namespace roformer
