#include "data/labeled/json_records.h"

#include <algorithm>
#include <utility>

#include "base/error.h"

namespace roformer {
namespace {

constexpr std::string_view kJsonSpace = " \t\r\n";

// Where the value that begins at `begin` ends: behind its closing bracket, or at what ends a plain value.
size_t end_of_json_value(std::string_view text, size_t begin) {
  int64_t depth = 0;
  for (size_t i = begin; i < text.size(); ++i) {
    switch (text[i]) {
      case '"':
        for (++i; i < text.size() && text[i] != '"'; ++i) {
          if (text[i] == '\\') ++i;
        }
        if (depth == 0) return std::min(i + 1, text.size());
        break;
      case '{':
      case '[': ++depth; break;
      case '}':
      case ']':
        if (depth == 0) return i;
        if (--depth == 0) return i + 1;
        break;
      case ',':
      case ' ':
      case '\t':
      case '\r':
      case '\n':
        if (depth == 0) return i;
        break;
      default: break;
    }
  }
  return text.size();
}

class RecordSplitter {
 public:
  RecordSplitter(std::string_view text, const std::string& path) : text_(text), path_(path) {}

  std::vector<JsonRecord> read() {
    skip_space();
    const bool list = at('[');
    if (list) {
      ++position_;
      skip_space();
    }
    while (position_ < text_.size() && !(list && at(']'))) {
      read_value();
      skip_space();
      if (!list) continue;
      if (at(',')) {
        ++position_;
        skip_space();
      } else if (!at(']')) {
        fail("expected ',' or ']' between the values of the list");
      }
    }
    if (list) {
      if (!at(']')) fail("the list has no end");
      ++position_;
      skip_space();
      if (position_ < text_.size()) fail("text behind the list");
    }
    return std::move(records_);
  }

 private:
  bool at(char c) const { return position_ < text_.size() && text_[position_] == c; }

  void skip_space() {
    for (; position_ < text_.size() && kJsonSpace.find(text_[position_]) != std::string_view::npos; ++position_) {
      if (text_[position_] == '\n') ++line_;
    }
  }

  void read_value() {
    if (records_.size() >= kMostRecords) fail("more values than a labeled file may have");
    const size_t end = std::max(end_of_json_value(text_, position_), position_ + 1);
    const std::string_view value = text_.substr(position_, end - position_);
    try {
      records_.push_back({parse_json(value, path_, {}, path_), line_});
    } catch (const DataError&) {
      // The same again, with the value where it stands in the file, so that the message has its line and column.
      const size_t line_start = text_.rfind('\n', position_);
      const size_t column = position_ - (line_start == std::string_view::npos ? 0 : line_start + 1);
      parse_json(std::string(static_cast<size_t>(line_ - 1), '\n') + std::string(column, ' ') + std::string(value),
                 path_, {}, path_);
      throw;
    }
    line_ += std::count(value.begin(), value.end(), '\n');
    position_ = end;
  }

  [[noreturn]] void fail(const char* reason) const {
    throw DataError("{}:{}: {}", FilePath(path_), LineNumber(line_), reason);
  }

  std::string_view text_;
  const std::string& path_;
  size_t position_ = 0;
  int64_t line_ = 1;
  std::vector<JsonRecord> records_;
};

}  // namespace

std::vector<JsonRecord> parse_json_records(std::string_view text, const std::string& path) {
  return RecordSplitter(text, path).read();
}

}  // namespace roformer
