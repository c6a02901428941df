// The lines `<doc ...>` and `</doc>` that mark documents in text dumps (the format of WikiExtractor). They are not
// text.
#pragma once

#include <string_view>

namespace roformer {

enum class DocumentTag { none, open, close };

// What `line` is; spaces and tabs around a tag do not matter, anything else makes the line text.
inline DocumentTag document_tag(std::string_view line) {
  const size_t begin = line.find_first_not_of(" \t");
  if (begin == line.npos || line[begin] != '<') return DocumentTag::none;
  line = line.substr(begin, line.find_last_not_of(" \t") + 1 - begin);
  if (line == "</doc>") return DocumentTag::close;
  const bool opens = line == "<doc>" || (line.starts_with("<doc ") && line.ends_with('>'));
  return opens ? DocumentTag::open : DocumentTag::none;
}

}  // namespace roformer
