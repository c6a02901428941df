// Rows of delimited text.
#pragma once

#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace roformer {

struct Delimiting {
  char delimiter = '\t';
  bool quoted = false;  // RFC 4180: a field in quotes may hold delimiters, line ends and doubled quotes
};

// The rows of a text, which must outlive them. Lines end with "\n" or "\r\n"; blank ones are skipped.
class DelimitedText {
 public:
  // DataError for a quoted field that does not end, or is followed by anything but a delimiter or the line's end, and
  // for more than kMostFields fields. `path` starts messages.
  DelimitedText(std::string_view text, const Delimiting& delimiting, const std::string& path);

  size_t size() const { return rows_.size(); }
  std::span<const std::string_view> operator[](size_t row) const {
    const size_t begin = rows_[row].first;
    return std::span(fields_).subspan(begin, (row + 1 < rows_.size() ? rows_[row + 1].first : fields_.size()) - begin);
  }
  int64_t line(size_t row) const { return rows_[row].line; }  // where it begins, from 1

  static constexpr size_t kMostFields = 100'000'000;

 private:
  struct Row {
    size_t first;  // of its fields
    int64_t line;
  };
  void read_line(std::string_view line, char delimiter);
  size_t read_quoted(std::string_view text, size_t begin, const std::string& path, int64_t& line);

  std::vector<std::string_view> fields_;
  std::vector<Row> rows_;
  std::deque<std::string> unescaped_;  // fields with doubled quotes
};

}  // namespace roformer
