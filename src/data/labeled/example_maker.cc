#include "data/labeled/example_maker.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/json.h"
#include "data/labeled/answers.h"
#include "data/labeled/label_values.h"

namespace roformer {
namespace {

// Lists, such as keywords, are joined by spaces.
std::string take_text(Cell& cell) {
  if (cell.kind == Cell::Kind::list) return fmt::format("{}", fmt::join(cell.items, " "));
  return std::move(cell.text);
}

}  // namespace

void ExampleMaker::add(Example example) {
  for (const std::string& text : example.texts) bytes_ += text.size() + sizeof(std::string);
  if (bytes_ > kLargestLabeledFile) {
    throw DataError("{}:{}: the texts so far have more than {} bytes, too many for labeled data", FilePath(path_),
                    LineNumber(example.line), kLargestLabeledFile);
  }
  examples_.push_back(std::move(example));
}

void ExampleMaker::add(RecordCells cells, int64_t line) {
  Example example;
  example.line = line;
  if (!set_texts(example, cells)) return;
  example.id = take_text(cells.id);
  example.labeled = !is_no_label(cells.label);
  switch (task_.kind) {
    case TaskKind::contrastive: example.labeled = true; break;
    case TaskKind::triplet: set_triplet(example, cells.label); break;
    case TaskKind::multiple_choice:
      if (!set_choices(example, cells)) return;
      break;
    case TaskKind::question_answering: set_answers(example, cells); break;
    case TaskKind::token_classification:
      if (example.labeled && !set_tags(example, cells.label)) return;
      break;
    case TaskKind::regression:
    case TaskKind::pair_similarity:
      if (example.labeled) set_value(example, cells.label);
      break;
    case TaskKind::classification:
    case TaskKind::multilabel:
      if (example.labeled) set_labels(example, cells.label);
      break;
  }
  add(std::move(example));
}

// Whether the example has all texts; if not, it is dropped.
bool ExampleMaker::set_texts(Example& example, RecordCells& cells) {
  if (task_.kind == TaskKind::token_classification) {
    example.texts = std::move(cells.texts.front().items);
    if (!example.texts.empty()) return true;
    drop("without a list of tokens", example.line);
    return false;
  }
  for (size_t i = 0; i < cells.texts.size(); ++i) {
    std::string text = take_text(cells.texts[i]);
    if (!trim_spaces(text).empty()) {
      example.texts.push_back(std::move(text));
    } else if (static_cast<int>(i) < std::max(task_.least_texts, 1) || task_.kind != TaskKind::contrastive) {
      drop("with an empty text", example.line);
      return false;
    }
  }
  return true;
}

bool ExampleMaker::is_no_label(const Cell& cell) const {
  if (cell.kind == Cell::Kind::absent) return true;
  if (task_.kind == TaskKind::multilabel || cell.kind == Cell::Kind::list) return false;  // there may be no labels
  const std::string_view text = trim_spaces(cell.text);
  if (text.empty()) return true;
  // SNLI's pairs without a majority, and the test sets of GLUE; a user's own labels may be called so.
  return !task_.labels.empty() && (text == "-" || text == "-1");
}

void ExampleMaker::reject(std::string_view label, int64_t line, std::string_view expected) const {
  throw DataError("{}:{}: the label is {}, expected {}", FilePath(path_), LineNumber(line), quote(label), expected);
}

std::string ExampleMaker::known_label(std::string_view text, int64_t line) const {
  if (task_.labels.empty()) return std::string(text);
  if (auto label = find_label(task_.labels, text)) return std::move(*label);
  const size_t shown = std::min<size_t>(task_.labels.size(), 20);
  reject(
      text, line,
      fmt::format("one of {}{}", fmt::join(task_.labels.begin(), task_.labels.begin() + static_cast<int>(shown), " "),
                  shown < task_.labels.size() ? " ..." : ""));
}

void ExampleMaker::set_labels(Example& example, const Cell& cell) {
  if (task_.kind == TaskKind::classification) {
    if (cell.kind == Cell::Kind::list && cell.items.size() != 1) {
      reject(fmt::format("[{}]", fmt::join(cell.items, ", ")), example.line,
             "one label; the task multilabel has lists");
    }
    const std::string_view text = cell.kind == Cell::Kind::list ? cell.items.front() : cell.text;
    example.labels = {known_label(trim_spaces(text), example.line)};
    return;
  }
  auto labels = cell.kind == Cell::Kind::list ? cell.items : split_labels(cell.text);
  if (!labels) reject(cell.text, example.line, "a JSON list of labels, or labels separated by comma, semicolon or bar");
  for (const std::string& label : *labels) {
    std::string known = known_label(trim_spaces(label), example.line);
    if (std::find(example.labels.begin(), example.labels.end(), known) == example.labels.end()) {
      example.labels.push_back(std::move(known));
    }
  }
}

void ExampleMaker::set_value(Example& example, const Cell& cell) {
  const auto value = parse_finite(trim_spaces(cell.text));
  if (!value) reject(cell.kind == Cell::Kind::list ? "a list" : cell.text, example.line, "a finite number");
  example.value = *value;
}

bool ExampleMaker::set_tags(Example& example, Cell& tags) {
  if (tags.kind != Cell::Kind::list || tags.items.size() != example.texts.size()) {
    drop("with another number of tags than of tokens", example.line);
    return false;
  }
  for (std::string& tag : tags.items) example.labels.push_back(known_label(tag, example.line));
  return true;
}

void ExampleMaker::set_triplet(Example& example, const Cell& cell) {
  const std::string_view text = trim_spaces(cell.text);
  if (text == "C" || text == "c") {
    std::swap(example.texts[1], example.texts[2]);
  } else if (!text.empty() && text != "B" && text != "b") {
    reject(text, example.line, "B or C, the text that is more similar to A");
  }
  example.labeled = true;
  example.choice = 0;
}

// Whether the example has choices; if not, it is dropped.
bool ExampleMaker::set_choices(Example& example, RecordCells& cells) {
  std::vector<std::string> choices;
  for (Cell& cell : cells.choices) {
    if (cell.kind == Cell::Kind::list) {
      choices = std::move(cell.items);
    } else if (!trim_spaces(cell.text).empty()) {
      choices.push_back(std::move(cell.text));
    }
  }
  if (choices.size() < 2) {
    drop("with fewer than two choices", example.line);
    return false;
  }
  if (example.labeled) {
    const std::string_view text = trim_spaces(cells.label.text);
    const auto choice =
        cells.label.kind == Cell::Kind::number ? find_choice_number(choices, text) : find_choice(choices, text);
    if (!choice) {
      reject(text, example.line, fmt::format("a choice, its letter, or its number from 0 to {}", choices.size() - 1));
    }
    example.choice = *choice;
  }
  std::string question;
  if (example.texts.size() == 2) {
    question = example.texts.back() + " ";
    example.texts.pop_back();
  }
  for (const std::string& choice : choices) example.texts.push_back(question + choice);
  return true;
}

void ExampleMaker::set_answers(Example& example, RecordCells& cells) {
  if (cells.answers) {
    example.answers = std::move(*cells.answers);
    example.labeled = true;
  } else if (cells.label.kind == Cell::Kind::list) {
    for (std::string& text : cells.label.items) example.answers.push_back({.text = std::move(text)});
  } else if (example.labeled) {
    example.answers = {{.text = std::string(trim_spaces(cells.label.text))}};
  }
  if (!example.answers.empty()) locate_answers(CodePointIndex(example.texts[1]), example, notices_);
}

LabeledData ExampleMaker::finish(bool labels_required) {
  if (examples_.empty()) {
    std::string notices;
    for (const std::string& notice : notices_.lines("")) notices += notice.substr(1);
    throw DataError("{}: holds no example of {}{}{}", FilePath(path_), task_.name, notices.empty() ? "" : ";", notices);
  }
  const auto labeled = [](const Example& example) { return example.labeled; };
  if (std::none_of(examples_.begin(), examples_.end(), labeled)) {
    if (labels_required) throw DataError("{}: no example has a label", FilePath(path_));
  } else {
    for (const Example& example : examples_) {
      if (!example.labeled) drop("without a label", example.line);
    }
    std::erase_if(examples_, [](const Example& example) { return !example.labeled; });
  }
  if (task_.kind == TaskKind::classification && task_.labels.empty()) {
    std::vector<std::string*> labels;
    for (Example& example : examples_) {
      for (std::string& label : example.labels) labels.push_back(&label);
    }
    write_whole_numbers(labels);
  }
  return {std::move(examples_), notices_.lines(path_)};
}

}  // namespace roformer
