#include "data/documents.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "base/error.h"
#include "base/json.h"
#include "text/document_tag.h"
#include "text/text_file.h"
#include "text/unicode.h"

namespace roformer {

const std::vector<std::string>& document_rule_names() {
  static const std::vector<std::string> names = {"automatic", "blank-line", "lines", "doc-tags"};  // as the enum
  return names;
}

DocumentRule parse_document_rule(std::string_view name) {
  const auto& names = document_rule_names();
  const auto found = std::ranges::find(names, name);
  if (found != names.end()) return static_cast<DocumentRule>(found - names.begin());
  throw UsageError("{} is {}; expected {}", FieldName("documents"), quote(name), fmt::join(names, ", "));
}

LineEffect read_part(DocumentState& state, DocumentRule rule, std::string_view text, bool starts_line, bool ends_line) {
  const bool whole = starts_line && ends_line;  // a part of a long line is neither a tag nor a blank line
  const bool tags = rule == DocumentRule::automatic || rule == DocumentRule::doc_tags;
  const DocumentTag tag = tags && whole ? document_tag(text) : DocumentTag::none;
  if (tag != DocumentTag::none) {
    state.inside_tags = tag == DocumentTag::open;
    return {.is_text = false, .ends_document = state.open};
  }
  const bool blank = is_blank(text);
  const bool blank_ends = rule == DocumentRule::blank_line || (rule == DocumentRule::automatic && !state.inside_tags);
  if (whole && blank && blank_ends) return {.is_text = false, .ends_document = state.open};
  if (whole && blank && !state.open) return {};
  state.open = true;
  state.has_text = state.has_text || !blank;
  state.mid_line = !ends_line;
  return {.is_text = true, .ends_document = rule == DocumentRule::lines && ends_line};
}

void close(DocumentState& state) { state.open = state.has_text = state.mid_line = false; }

void read_documents(std::string_view text, DocumentRule rule, DocumentState state, bool ends_file,
                    const std::function<void(std::string&&)>& sink) {
  std::string document;
  const auto finish = [&] {
    if (state.has_text) {
      if (document.ends_with('\n')) document.pop_back();
      sink(std::move(document));
    }
    document.clear();
    close(state);
  };
  while (!text.empty()) {
    const size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    const bool ends_line = end != std::string_view::npos || ends_file;
    const bool long_line = line.size() > TextFile::kLongLine;
    if (ends_line && line.ends_with('\r')) line.remove_suffix(1);
    const LineEffect effect = read_part(state, rule, line, !state.mid_line && !long_line, ends_line);
    if (effect.is_text) {
      document += line;
      if (ends_line) document += '\n';
    }
    if (effect.ends_document) finish();
  }
  if (ends_file) return finish();
  if (state.has_text && !document.empty()) sink(std::move(document));
}

}  // namespace roformer
