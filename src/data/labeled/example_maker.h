// Makes examples from the cells of records, whatever kind of file these come from.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "data/labeled/labeled_file.h"
#include "data/labeled/notices.h"

namespace roformer {

// A value of a record: of a row its field, of a JSON object a text, a number or boolean as text, or a list of these.
struct Cell {
  enum class Kind { absent, text, number, list };  // rows have texts only
  Kind kind = Kind::absent;
  std::string text;
  std::vector<std::string> items;
};

struct RecordCells {
  std::vector<Cell> texts, choices;
  Cell label, id;                                  // absent where the file has no column for them
  std::optional<std::vector<AnswerSpan>> answers;  // in place of `label`, if the file has more than their texts
};

// Collects the examples of a file, and what is to be said about them.
class ExampleMaker {
 public:
  ExampleMaker(const Task& task, const std::string& path) : task_(task), path_(path) {}

  // DataError for a label that the task does not have, or that is no number where one is expected.
  void add(RecordCells cells, int64_t line);
  // An example made otherwise. DataError if all texts together are larger than kLargestLabeledFile, as they are where a
  // document is part of very many examples.
  void add(Example example);
  void drop(std::string reason, int64_t line) { notices_.count("dropped", "row", std::move(reason), line); }
  Notices& notices() { return notices_; }

  // Drops the examples without a label if others have one. DataError if there are no examples, or, if
  // `labels_required`, no labels.
  LabeledData finish(bool labels_required);

 private:
  bool set_texts(Example& example, RecordCells& cells);
  bool set_choices(Example& example, RecordCells& cells);
  bool set_tags(Example& example, Cell& tags);
  void set_answers(Example& example, RecordCells& cells);
  void set_labels(Example& example, const Cell& cell);
  void set_value(Example& example, const Cell& cell);
  void set_triplet(Example& example, const Cell& cell);
  std::string known_label(std::string_view text, int64_t line) const;
  bool is_no_label(const Cell& cell) const;
  [[noreturn]] void reject(std::string_view label, int64_t line, std::string_view expected) const;

  const Task& task_;
  const std::string& path_;
  Notices notices_;
  std::vector<Example> examples_;
  size_t bytes_ = 0;
};

}  // namespace roformer
