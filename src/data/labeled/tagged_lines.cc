#include "data/labeled/tagged_lines.h"

#include <charconv>
#include <functional>
#include <utility>

#include "base/error.h"
#include "base/stop.h"
#include "data/labeled/label_values.h"

namespace roformer {
namespace {

// The columns of a line; none of one without a token.
std::vector<std::string_view> split_columns(std::string_view line) {
  if (line.ends_with('\r')) line.remove_suffix(1);
  std::vector<std::string_view> columns;
  if (line.find('\t') != std::string_view::npos) {
    if (trim_spaces(line).empty()) return columns;
    for (size_t begin = 0; begin <= line.size();) {
      const size_t end = std::min(line.find('\t', begin), line.size());
      columns.push_back(trim_spaces(line.substr(begin, end - begin)));
      begin = end + 1;
    }
    return columns;
  }
  for (size_t begin = line.find_first_not_of(' '); begin < line.size(); begin = line.find_first_not_of(' ', begin)) {
    const size_t end = std::min(line.find(' ', begin), line.size());
    columns.push_back(line.substr(begin, end - begin));
    begin = end;
  }
  return columns;
}

// Whether it is a tag of the schemes BIO, IOB1, BIOES or BILOU.
bool is_entity_tag(std::string_view text) {
  constexpr std::string_view kPrefixes = "BIESLU";
  return text == "O" || (text.size() > 2 && text[1] == '-' && kPrefixes.find(text[0]) != std::string_view::npos);
}

// Calls `visit` with the columns of each line that has any, and with none for a line that ends a sentence.
void visit_lines(std::string_view text,
                 const std::function<bool(const std::vector<std::string_view>&, int64_t)>& visit) {
  int64_t number = 0;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    std::vector<std::string_view> columns = split_columns(text.substr(begin, end - begin));
    ++number;
    if (!columns.empty() && columns[0].starts_with("-DOCSTART-")) columns.clear();
    if (!visit(columns, number)) return;
    begin = end + 1;
  }
}

constexpr size_t kLastColumn = static_cast<size_t>(-1);

// Where the tags are, from 0, by the first lines; nothing if the file has tokens only.
std::optional<size_t> find_tags(const std::string& path, std::string_view text, const std::string& asked,
                                ExampleMaker& maker) {
  constexpr int64_t kLines = 1000;
  size_t columns = 0;
  int64_t lines = 0;
  bool second = true, last = true, entities = false;
  visit_lines(text, [&](const std::vector<std::string_view>& line, int64_t) {
    if (line.empty()) return true;
    columns = std::max(columns, line.size());
    if (line.size() > 1) {
      second = second && is_entity_tag(line[1]);
      last = last && is_entity_tag(line.back());
      entities = entities || line.back() != "O";
    }
    return ++lines < kLines;
  });
  if (asked.empty()) {
    if (columns < 2) return std::nullopt;
    if (columns == 2 || second || !last || !entities) return 1;
    maker.notices().say("took the tags from the last column, because those in the second are none");
    return kLastColumn;
  }
  if (asked == "last" && columns > 1) return kLastColumn;
  size_t number = 0;
  const auto [end, error] = std::from_chars(asked.data(), asked.data() + asked.size(), number);
  if (asked != "last" && (error != std::errc() || end != asked.data() + asked.size() || number < 2)) {
    throw UsageError("{} is '{}', expected a number from 2, or last", FieldName("tag_column"), asked);
  }
  if (columns < 2 || number > columns) {
    throw DataError("{}: {} is {}, but lines have {} column{}", FilePath(path), FieldName("tag_column"), asked, columns,
                    columns == 1 ? "" : "s");
  }
  return number - 1;
}

}  // namespace

void read_tagged_lines(const std::string& path, std::string_view text, const ReadOptions& options,
                       ExampleMaker& maker) {
  const std::optional<size_t> tag_column = find_tags(path, text, options.tag_column, maker);
  Example sentence;
  int64_t short_line = 0;
  const auto end_sentence = [&] {
    if (short_line > 0) {
      maker.notices().count("dropped", "sentence", "with a line without a tag", short_line);
    } else if (!sentence.texts.empty()) {
      maker.add(std::exchange(sentence, Example()));
    }
    sentence = Example();
    short_line = 0;
  };
  visit_lines(text, [&](const std::vector<std::string_view>& line, int64_t number) {
    if (number % 65536 == 0) throw_if_stopped(options.stop_token);
    if (line.empty()) {
      end_sentence();
      return true;
    }
    if (sentence.texts.empty()) {
      sentence.line = number;
      sentence.labeled = tag_column.has_value();
    }
    sentence.texts.emplace_back(line[0]);
    if (!tag_column) return true;
    const size_t column = *tag_column == kLastColumn ? line.size() - 1 : *tag_column;
    if (column == 0 || column >= line.size() || line[column].empty() || line[0].empty()) {
      if (short_line == 0) short_line = number;
    } else {
      sentence.labels.emplace_back(line[column]);
    }
    return true;
  });
  end_sentence();
}

}  // namespace roformer
