#include "text/chat_pieces.h"

#include <array>

namespace roformer {

namespace {

std::string without_comments(std::string_view jinja) {
  std::string text;
  for (size_t at = 0; at < jinja.size();) {
    const size_t begin = jinja.find("{#", at);
    text += jinja.substr(at, begin - at);
    if (begin == jinja.npos) break;
    const size_t end = jinja.find("#}", begin);
    if (end == jinja.npos) break;
    at = end + 2;
  }
  return text;
}

bool is_white(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }

// Appends the string that starts with a quote at `at`; returns where it ends.
size_t append_string(std::string_view text, size_t at, std::string& pieces) {
  const char quote = text[at++];
  pieces += '\'';
  for (; at < text.size() && text[at] != quote; ++at) {
    if (text[at] != '\\' || at + 1 == text.size()) {
      pieces += text[at];
      continue;
    }
    const char escaped = text[++at];
    pieces += escaped == 'n' ? '\n' : escaped == 't' ? '\t' : escaped;
  }
  pieces += '\'';
  return at + 1;
}

void respell(std::string& text, std::string_view from, std::string_view to) {
  for (size_t at = 0; (at = text.find(from, at)) != text.npos; at += to.size()) text.replace(at, from.size(), to);
}

}  // namespace

std::string chat_template_pieces(std::string_view jinja) {
  const std::string text = without_comments(jinja);
  std::string pieces;
  bool code = false;
  for (size_t at = 0; at < text.size();) {
    const std::string_view rest = std::string_view(text).substr(at);
    if (rest.starts_with("{{") || rest.starts_with("{%")) code = true;
    if (rest.starts_with("}}") || rest.starts_with("%}")) code = false;
    if (code && (text[at] == '\'' || text[at] == '"')) {
      at = append_string(text, at, pieces);
    } else {
      if (!is_white(text[at])) pieces += text[at];
      ++at;
    }
  }
  constexpr auto kSpellings = std::to_array<std::array<std::string_view, 2>>(
      {{"{{-", "{{"}, {"-}}", "}}"}, {"message.role", "message['role']"}, {"message.content", "message['content']"}});
  for (const auto& [from, to] : kSpellings) respell(pieces, from, to);
  return pieces;
}

}  // namespace roformer
