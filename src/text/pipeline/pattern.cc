#include "text/pipeline/pattern.h"

#include <nlohmann/json.hpp>

#include "base/utf8.h"
#include "text/pipeline/regex.h"

namespace roformer {

namespace {

// Calls next_match(begin, end) until it is false and appends the matches and what is between them.
template <class NextMatch>
void append_stretches(std::string_view text, std::vector<Stretch>& stretches, const NextMatch& next_match) {
  size_t done = 0;
  for (size_t begin = 0, end = 0; next_match(begin, end); done = end) {
    if (begin > done) stretches.push_back({done, begin, false});
    stretches.push_back({begin, end, true});
  }
  if (done < text.size()) stretches.push_back({done, text.size(), false});
}

StretchFinder find_regex(Regex regex) {
  return [regex = std::move(regex)](std::string_view text, std::vector<Stretch>& stretches) {
    Regex::Matches matches(regex, text);
    append_stretches(text, stretches, [&](size_t& begin, size_t& end) { return matches.next(begin, end); });
  };
}

}  // namespace

StretchFinder find_literal(std::string literal) {
  return [literal = std::move(literal)](std::string_view text, std::vector<Stretch>& stretches) {
    append_stretches(text, stretches, [&](size_t& begin, size_t& end) {
      begin = text.find(literal, end);
      end = begin + literal.size();
      return begin != text.npos;
    });
  };
}

StretchFinder find_code_points(bool (*property)(char32_t)) {
  return [property](std::string_view text, std::vector<Stretch>& stretches) {
    size_t at = 0;
    append_stretches(text, stretches, [&](size_t& begin, size_t& end) {
      while (at < text.size()) {
        const CodePoint c = decode_utf8(text.data() + at);
        begin = at;
        at += static_cast<size_t>(c.length);
        end = at;
        if (property(c.value)) return true;
      }
      return false;
    });
  };
}

StretchFinder read_pattern(const PipelinePart& part) {
  const JsonObject pattern = part.json().get_object("pattern");
  if (pattern.has("String") == pattern.has("Regex"))
    part.json().reject("pattern", R"({"String": ...} or {"Regex": ...})");
  if (pattern.has("Regex")) return find_regex(Regex(pattern.get_string("Regex", {}), pattern.source()));
  std::string literal = pattern.get_string("String", {});
  return literal.empty() ? find_regex(Regex("", pattern.source())) : find_literal(std::move(literal));
}

}  // namespace roformer
