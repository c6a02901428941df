#include "data/labeled/labeled_file.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <set>
#include <utility>

#include "base/error.h"
#include "base/stop.h"
#include "base/utf8.h"
#include "data/labeled/columns.h"
#include "data/labeled/label_values.h"
#include "data/labeled/record_files.h"
#include "data/labeled/tagged_lines.h"
#include "text/byte_source.h"

namespace roformer {
namespace {

// The text of a file without its byte order mark.
std::string read_labeled_text(const std::string& path, const std::stop_token& stop) {
  ByteSource source(path);
  std::string text;
  while (source.read(text)) {
    if (text.size() > kLargestLabeledFile) {
      throw DataError("{}: has more than {} bytes, too many for labeled data", FilePath(path), kLargestLabeledFile);
    }
    throw_if_stopped(stop);
  }
  if (text.starts_with(kByteOrderMark)) text.erase(0, kByteOrderMark.size());
  const auto line_of = [&text](size_t byte) {
    return 1 + std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(byte), '\n');
  };
  if (const size_t bad = find_invalid_utf8(text); bad != kValidUtf8) {
    throw DataError("{}:{}: not valid UTF-8", FilePath(path), LineNumber(line_of(bad)));
  }
  if (const size_t zero = text.find('\0'); zero != std::string::npos) {
    throw DataError("{}:{}: holds a NUL byte, expected a text file", FilePath(path), LineNumber(line_of(zero)));
  }
  return text;
}

// In lower case, of what the file was before it was compressed: ".tsv" of "DEV.TSV.GZ".
std::string extension_of(std::string path) {
  for (char& c : path) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  for (const std::string_view packed : {".gz", ".zst", ".xz", ".bz2", ".lzma"}) {
    if (path.ends_with(packed)) {
      path.resize(path.size() - packed.size());
      break;
    }
  }
  const size_t dot = path.rfind('.');
  return dot == std::string::npos || path.find('/', dot) != std::string::npos ? "" : path.substr(dot);
}

FileFormat detect_format(const Task& task, const std::string& path, std::string_view text) {
  const std::string extension = extension_of(path);
  if (extension == ".json" || extension == ".jsonl" || extension == ".ndjson") return FileFormat::json;
  const size_t first = text.find_first_not_of(" \t\r\n");
  const bool opens_json = first != std::string_view::npos && (text[first] == '{' || text[first] == '[');
  if (task.kind == TaskKind::token_classification) return opens_json ? FileFormat::json : FileFormat::conll;
  if (extension == ".csv") return FileFormat::csv;
  if (extension == ".tsv") return FileFormat::tsv;
  if (opens_json) return FileFormat::json;
  const std::string_view line = text.substr(0, text.find('\n'));
  return line.find('\t') == std::string_view::npos && line.find(',') != std::string_view::npos ? FileFormat::csv
                                                                                               : FileFormat::tsv;
}

}  // namespace

const std::vector<std::string>& file_format_names() {
  static const std::vector<std::string> names = {"automatic", "tsv", "csv", "json", "conll"};
  return names;
}

FileFormat parse_file_format(std::string_view name) {
  const auto& names = file_format_names();
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end()) {
    throw UsageError("{} is '{}', expected one of {}", FieldName("format"), name, fmt::join(names, " "));
  }
  return static_cast<FileFormat>(found - names.begin());
}

LabeledData read_examples(const Task& task, const std::string& path, const ReadOptions& options) {
  const std::string text = read_labeled_text(path, options.stop_token);
  const FileFormat format = options.format == FileFormat::automatic ? detect_format(task, path, text) : options.format;
  const bool tags = task.kind == TaskKind::token_classification;
  if (format == FileFormat::conll && !tags) {
    throw UsageError("{} is conll, which is for token-classification, not {}", FieldName("format"), task.name);
  }
  if (tags && (format == FileFormat::tsv || format == FileFormat::csv)) {
    throw UsageError("{} is {}, expected conll or json for {}", FieldName("format"),
                     file_format_names()[static_cast<size_t>(format)], task.name);
  }
  if (format == FileFormat::conll) {
    refuse_columns(options, "is not for tokens in columns, where only the tag's can be chosen");
  } else if (!options.tag_column.empty()) {
    throw UsageError("{} is for tokens in columns; other files have {}", FieldName("tag_column"),
                     FieldName("label_column"));
  }
  ExampleMaker maker(task, path);
  if (format == FileFormat::conll) {
    read_tagged_lines(path, text, options, maker);
  } else if (format == FileFormat::json) {
    read_json_file(task, path, text, options, maker);
  } else {
    read_table_file(task, path, text, format, options, maker);
  }
  return maker.finish(options.labels_required);
}

std::vector<std::string> collect_labels(std::span<const Example> examples) {
  const auto before = [](const std::string& a, const std::string& b) {
    const auto x = parse_finite(a), y = parse_finite(b);
    if (x && y && *x != *y) return *x < *y;
    if (x.has_value() != y.has_value()) return x.has_value();
    if ((a == "O") != (b == "O")) return a == "O";
    return a < b;
  };
  std::set<std::string, decltype(before)> labels(before);
  for (const Example& example : examples) labels.insert(example.labels.begin(), example.labels.end());
  return {labels.begin(), labels.end()};
}

}  // namespace roformer
