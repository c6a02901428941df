#include "data/labeled/delimited.h"

#include <algorithm>

#include "base/error.h"

namespace roformer {
namespace {

bool is_blank_line(std::string_view line) { return line.find_first_not_of(" \t\r") == std::string_view::npos; }

}  // namespace

void DelimitedText::read_line(std::string_view line, char delimiter) {
  for (size_t begin = 0;;) {
    const size_t end = line.find(delimiter, begin);
    fields_.push_back(line.substr(begin, end - begin));
    if (end == std::string_view::npos) return;
    begin = end + 1;
  }
}

// Reads the field whose opening quote is at `begin`; returns where it ends, behind the closing quote.
size_t DelimitedText::read_quoted(std::string_view text, size_t begin, const std::string& path, int64_t& line) {
  const int64_t first_line = line;
  std::string* unescaped = nullptr;
  size_t part = begin + 1;
  for (size_t quote = text.find('"', part);; quote = text.find('"', quote)) {
    if (quote == std::string_view::npos) {
      throw DataError("{}:{}: a quoted field without an end; quotes are text in the format tsv", FilePath(path),
                      LineNumber(first_line));
    }
    const bool doubled = quote + 1 < text.size() && text[quote + 1] == '"';
    if (doubled && unescaped == nullptr) unescaped = &unescaped_.emplace_back();
    const std::string_view piece = text.substr(part, quote + (doubled ? 1 : 0) - part);
    line += std::count(piece.begin(), piece.end(), '\n');
    if (unescaped != nullptr) unescaped->append(piece);
    if (!doubled) {
      fields_.push_back(unescaped != nullptr ? std::string_view(*unescaped) : piece);
      return quote + 1;
    }
    part = quote += 2;
  }
}

DelimitedText::DelimitedText(std::string_view text, const Delimiting& delimiting, const std::string& path) {
  int64_t line = 0;
  for (size_t position = 0; position < text.size();) {
    if (fields_.size() > kMostFields) throw DataError("{}: more than {} fields", FilePath(path), kMostFields);
    ++line;
    const size_t line_end = std::min(text.find('\n', position), text.size());
    std::string_view content = text.substr(position, line_end - position);
    if (is_blank_line(content)) {
      position = line_end + 1;
      continue;
    }
    rows_.push_back({fields_.size(), line});
    if (!delimiting.quoted || content.find('"') == std::string_view::npos) {
      if (content.back() == '\r') content.remove_suffix(1);
      read_line(content, delimiting.delimiter);
      position = line_end + 1;
      continue;
    }
    while (true) {
      if (position < text.size() && text[position] == '"') {
        position = read_quoted(text, position, path, line);
      } else {
        const size_t end = std::min(text.find_first_of(std::string{delimiting.delimiter, '\n'}, position), text.size());
        std::string_view field = text.substr(position, end - position);
        if (end == text.size() || text[end] == '\n') {
          if (!field.empty() && field.back() == '\r') field.remove_suffix(1);
        }
        fields_.push_back(field);
        position = end;
      }
      if (text.substr(position).starts_with("\r\n")) ++position;
      if (position >= text.size()) break;
      const char next = text[position++];
      if (next == '\n') break;
      if (next != delimiting.delimiter) {
        throw DataError("{}:{}: text behind a closing quote; quotes are text in the format tsv", FilePath(path),
                        LineNumber(line));
      }
    }
  }
}

}  // namespace roformer
