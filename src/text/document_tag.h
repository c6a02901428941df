// The lines `<doc ...>` and `</doc>` that mark documents in text dumps (the format of WikiExtractor). They are not part
// of the text.
#pragma once

#include <string_view>

namespace roformer {

enum class DocumentTag { none, open, close };

// Classifies a line. Spaces and tabs around a tag are allowed; a line with anything else is text.
inline DocumentTag document_tag(std::string_view line) {
  const size_t begin = line.find_first_not_of(" \t");
  if (begin == line.npos || line[begin] != '<') return DocumentTag::none;
  line = line.substr(begin, line.find_last_not_of(" \t") + 1 - begin);
  if (line == "</doc>") return DocumentTag::close;
  const bool opens = line == "<doc>" || (line.starts_with("<doc ") && line.ends_with('>'));
  return opens ? DocumentTag::open : DocumentTag::none;
}

}  // namespace roformer
