// Reads labeled files of any task: delimited text (TSV, CSV), JSON (one value a line, one list, or objects one after
// another), CoNLL columns and SQuAD's documents, plain or compressed (text/byte_source.h).
//
// What is merely unusual is dropped, or repaired, and counted in a notice: rows with another number of fields, without
// a label ("-", blank) or without text, answers that are not where the file says. What would make a result wrong is a
// DataError with file and line: labels the task does not have, numbers that are none, broken JSON.
#pragma once

#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "data/labeled/example.h"
#include "data/labeled/tasks.h"

namespace roformer {

enum class FileFormat { automatic, tsv, csv, json, conll };
const std::vector<std::string>& file_format_names();  // in the order of the enum
FileFormat parse_file_format(std::string_view name);  // UsageError listing these names for others

struct ReadOptions {
  // Columns: a name, or a number from 1. Empty: the task's, or one of the usual names (columns.h).
  std::string text_column = {}, text_pair_column = {};
  std::string text_third_column = {};  // C of a triplet, the negative of contrastive texts
  std::string label_column = {};       // of multiple choice and question answering, the answer
  std::string id_column = {};
  // Of CoNLL columns: a number from 1, or "last". Empty: the second, unless only the last one has tags (B-, I-, O).
  std::string tag_column = {};
  // Automatic: by the file's extension (.csv, .tsv, .json, .jsonl), else by its contents. Delimiters of csv are
  // commas, or tabs or semicolons where the first line has these, and quotes are syntax; in tsv they are text.
  FileFormat format = FileFormat::automatic;
  std::optional<bool> header = {};  // of delimited text; empty: whether the first line has the names of the columns
  bool labels_required = false;     // a file without labels is a DataError
  std::stop_token stop_token = {};  // polled while reading: throws Interrupted
};

struct LabeledData {
  std::vector<Example> examples;     // in the order of the file; all labeled or none
  std::vector<std::string> notices;  // one line each, beginning with the path

  bool labeled() const { return !examples.empty() && examples.front().labeled; }
};

// FileError if the file cannot be read; DataError as above, if a column is missing, if there is no example at all, and
// if the file holds more than kLargestLabeledFile bytes of text; UsageError for options that name impossible columns.
LabeledData read_examples(const Task& task, const std::string& path, const ReadOptions& options = {});

constexpr size_t kLargestLabeledFile = size_t{2} << 30;

// The labels (or tags) of examples, each once: numbers by value, then "O", then others by their bytes.
std::vector<std::string> collect_labels(std::span<const Example> examples);

}  // namespace roformer
