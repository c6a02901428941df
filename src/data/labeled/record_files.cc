#include "data/labeled/record_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <unordered_map>
#include <utility>

#include "base/error.h"
#include "base/json.h"
#include "base/stop.h"
#include "data/labeled/chinese_records.h"
#include "data/labeled/columns.h"
#include "data/labeled/delimited.h"
#include "data/labeled/json_records.h"
#include "data/labeled/label_values.h"
#include "data/labeled/question_documents.h"

namespace roformer {
namespace {

constexpr size_t kRecordsPerStopCheck = 4096;

// Whether all fields of the first line are in quotes, so that these are syntax whatever the file's name.
bool has_quoted_names(std::string_view line) {
  if (line.ends_with('\r')) line.remove_suffix(1);
  for (size_t begin = 0; begin <= line.size();) {
    const size_t end = std::min(line.find('\t', begin), line.size());
    const std::string_view field = line.substr(begin, end - begin);
    if (field.size() < 2 || !field.starts_with('"') || !field.ends_with('"')) return false;
    begin = end + 1;
  }
  return true;
}

Delimiting delimiting_of(const Task& task, FileFormat format, std::string_view text, FileFormat asked) {
  const std::string_view line = text.substr(0, text.find('\n'));
  const auto has = [line](char c) { return line.find(c) != std::string_view::npos; };
  if (format == FileFormat::tsv) return {'\t', asked == FileFormat::automatic && has_quoted_names(line)};
  const char delimiter = has('\t') ? '\t' : has(',') || !has(';') ? ',' : ';';
  return {delimiter, task.quoted_csv || asked == FileFormat::csv};
}

// The cells of one record by their roles; `cell` gives that of a column.
template <class CellOf>
RecordCells gather_cells(const Roles& roles, const CellOf& cell) {
  RecordCells cells;
  for (const size_t column : roles.texts) cells.texts.push_back(cell(column));
  for (const size_t column : roles.choices) cells.choices.push_back(cell(column));
  if (roles.label) cells.label = cell(*roles.label);
  if (roles.id) cells.id = cell(*roles.id);
  return cells;
}

// Whether the first row seems to be a header although none of its names is known: its label is no number where one is
// expected, or occurs nowhere else, while the other rows share theirs.
bool has_a_label_of_its_own(const Task& task, const DelimitedText& rows, size_t label) {
  if (task.kind == TaskKind::regression || task.kind == TaskKind::pair_similarity) {
    const std::string_view value = trim_spaces(rows[0][label]);
    return !value.empty() && !parse_finite(value) && rows.size() > 1 && label < rows[1].size() &&
           parse_finite(trim_spaces(rows[1][label]));
  }
  constexpr size_t kFewestRows = 10;
  if (rows.size() < kFewestRows) return false;
  std::unordered_map<std::string_view, size_t> numbers;
  for (size_t row = 0; row < rows.size(); ++row) {
    if (label < rows[row].size()) ++numbers[trim_spaces(rows[row][label])];
  }
  return numbers[trim_spaces(rows[0][label])] == 1 && numbers.size() - 1 <= rows.size() / 2;
}

Cell scalar_cell(const Json& value) {
  if (value.is_string()) return {Cell::Kind::text, value.get<std::string>(), {}};
  if (value.is_boolean()) return {Cell::Kind::text, value.get<bool>() ? "true" : "false", {}};
  if (value.is_number()) return {Cell::Kind::number, value.dump(), {}};
  return {};
}

Cell json_cell(const Json& record, const std::string& name, const std::string& path, int64_t line) {
  const auto found = record.find(name);
  if (found == record.end() || found->is_null()) return {};
  if (!found->is_array()) {
    if (found->is_object()) {
      throw DataError("{}:{}: {} is an object, expected a text, a number or a list", FilePath(path), LineNumber(line),
                      KeyName(name, quote(name)));
    }
    return scalar_cell(*found);
  }
  Cell cell{Cell::Kind::list, {}, {}};
  for (const Json& item : *found) {
    Cell scalar = scalar_cell(item);
    if (scalar.kind == Cell::Kind::absent) {
      throw DataError("{}:{}: {} has {}, expected texts or numbers", FilePath(path), LineNumber(line),
                      KeyName(name, quote(name)), show_json(item));
    }
    cell.items.push_back(std::move(scalar.text));
  }
  return cell;
}

}  // namespace

void read_table_file(const Task& task, const std::string& path, std::string_view text, FileFormat format,
                     const ReadOptions& options, ExampleMaker& maker) {
  const DelimitedText rows(text, delimiting_of(task, format, text, options.format), path);
  if (rows.size() == 0) return;
  std::vector<std::string> names;
  for (const std::string_view field : rows[0]) names.emplace_back(trim_spaces(field));
  const ColumnRequest by_name{task, options, path, names, names.size()};
  bool header = options.header.value_or(are_column_names(by_name));
  const Roles roles = header ? choose_columns(by_name) : choose_positions(by_name);
  if (!options.header && !header && roles.label && has_a_label_of_its_own(task, rows, *roles.label)) {
    header = true;
    maker.notices().say(fmt::format("took the first line for names of columns, because no other has a label such as {}",
                                    quote(trim_spaces(rows[0][*roles.label]))));
  }
  const size_t fields = roles.least_fields.value_or(names.size());
  for (size_t row = header ? 1 : 0; row < rows.size(); ++row) {
    if (row % kRecordsPerStopCheck == 0) throw_if_stopped(options.stop_token);
    const auto record = rows[row];
    if (record.size() < fields || (record.size() > fields && !roles.least_fields)) {
      maker.drop(
          fmt::format("with another number of fields than the {} {}", header ? "header's" : "first row's", fields),
          rows.line(row));
      continue;
    }
    maker.add(gather_cells(roles,
                           [&](size_t column) {
                             return Cell{Cell::Kind::text, std::string(record[column]), {}};
                           }),
              rows.line(row));
  }
}

void read_json_file(const Task& task, const std::string& path, std::string_view text, const ReadOptions& options,
                    ExampleMaker& maker) {
  std::vector<JsonRecord> records = parse_json_records(text, path);
  constexpr std::string_view kDocuments = "is not for documents of questions, which have their own keys";
  int64_t questions = 0;
  if (task.shape == FileShape::squad && records.size() == 1 && records[0].value.is_object() &&
      records[0].value.contains("data")) {
    refuse_columns(options, kDocuments);
    return read_squad(records[0].value, path, questions, maker);
  }
  if (task.shape == FileShape::c3 && !records.empty() && records[0].value.is_array()) {
    refuse_columns(options, kDocuments);
    for (const JsonRecord& record : records) read_c3(record.value, path, questions, maker);
    return;
  }
  std::set<std::string> keys;
  for (JsonRecord& record : records) {
    if (!record.value.is_object()) {
      throw DataError("{}:{}: found {}, expected an object", FilePath(path), LineNumber(record.line),
                      show_json(record.value));
    }
    if (!rewrite_record(task.shape, record.value, path, record.line, maker)) record.value.clear();
    for (const auto& [key, value] : record.value.items()) keys.insert(key);
  }
  std::erase_if(records, [](const JsonRecord& record) { return record.value.empty(); });
  if (records.empty()) return;
  const std::vector<std::string> names(keys.begin(), keys.end());
  const Roles roles = choose_columns({task, options, path, names, 0});
  for (size_t i = 0; i < records.size(); ++i) {
    if (i % kRecordsPerStopCheck == 0) throw_if_stopped(options.stop_token);
    const auto& [record, line] = records[i];
    const auto cell = [&, &value = record, line = line](size_t column) {
      return json_cell(value, names[column], path, line);
    };
    RecordCells cells;
    if (task.kind == TaskKind::question_answering && roles.label) {  // an answer may be an object
      Roles others = roles;
      others.label.reset();
      cells = gather_cells(others, cell);
      if (const auto answers = record.find(names[*roles.label]); answers != record.end()) {
        cells.answers = read_answers(*answers, path, line);
      }
    } else {
      cells = gather_cells(roles, cell);
    }
    maker.add(std::move(cells), line);
  }
}

}  // namespace roformer
