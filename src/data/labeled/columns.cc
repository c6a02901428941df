#include "data/labeled/columns.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <utility>

#include "base/edit_distance.h"
#include "base/error.h"
#include "base/json.h"
#include "data/labeled/label_values.h"

namespace roformer {
namespace {

using ColumnNames = std::vector<std::string>;

// Of equal rank within a line; a later line counts only if no earlier one fits.
const std::vector<ColumnNames> kSingleTexts = {
    {"text", "sentence", "content", "review", "document", "body", "comment", "tweet", "message", "utterance", "query",
     "question", "abstract", "abst", "text_a", "text1", "sentence1"},
    {"title", "headline"}};
const std::vector<ColumnNames> kPairs = {
    {"sentence1", "sentence2"}, {"text_a", "text_b"},     {"text1", "text2"},     {"premise", "hypothesis"},
    {"question1", "question2"}, {"question", "sentence"}, {"question", "answer"}, {"question", "context"},
    {"query", "passage"},       {"query", "document"},    {"text", "text_pair"},  {"sentence_A", "sentence_B"},
    {"#1 String", "#2 String"}, {"anchor", "positive"},   {"query", "positive"}};
const std::vector<ColumnNames> kTriplets = {{"A", "B", "C"},
                                            {"anchor", "positive", "negative"},
                                            {"query", "positive", "negative"},
                                            {"sentence1", "sentence2", "sentence3"}};
const ColumnNames kNegatives = {"negative", "hard_negative", "neg", "sentence3", "text3", "text_third"};
const ColumnNames kQuestions = {"question", "query"};
const ColumnNames kContexts = {"context", "passage", "paragraph", "document", "text"};
const std::vector<ColumnNames> kPrompts = {{"prompt", "question", "query", "stem"},
                                           {"context", "premise", "sentence", "content", "passage", "text", "ctx"}};
const ColumnNames kChoiceLists = {"choices", "options", "candidates", "choice", "endings"};
const ColumnNames kTokens = {"tokens", "words"};
const ColumnNames kIds = {"id", "idx", "index", "guid", "qid", "pair_id", "example_id"};

const std::vector<ColumnNames>& usual_labels(TaskKind kind) {
  static const std::vector<ColumnNames> classes = {{"label", "labels", "gold_label", "is_duplicate", "quality"},
                                                   {"class", "category", "sentiment", "intent", "topic", "target"},
                                                   {"score", "rating", "stars"}};
  static const std::vector<ColumnNames> sets = {{"labels", "label"},
                                                {"tags", "classes", "categories", "topics", "class", "category"}};
  static const std::vector<ColumnNames> values = {
      {"label", "labels", "score", "similarity", "value", "similarity_score", "relatedness_score"},
      {"target", "rating", "stars"}};
  static const std::vector<ColumnNames> tags = {{"tags", "ner_tags"}, {"labels", "label"}};
  static const std::vector<ColumnNames> answers = {{"answers", "answer"}};
  static const std::vector<ColumnNames> choices = {{"label", "answer", "gold_label", "answerKey", "correct"}};
  switch (kind) {
    case TaskKind::multilabel: return sets;
    case TaskKind::regression:
    case TaskKind::pair_similarity: return values;
    case TaskKind::token_classification: return tags;
    case TaskKind::question_answering: return answers;
    case TaskKind::multiple_choice: return choices;
    default: return classes;
  }
}

std::string column_key(std::string_view name) {
  std::string key;
  for (const char c : name) {
    if (c != '_' && c != '-' && c != ' ') key += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return key;
}

// A name of choice k: choice1, option_b, ending0, sol1, or a letter from A to H.
bool names_choice(std::string_view name) {
  std::string_view key = name;
  for (const std::string_view prefix : {"choice", "option", "ending", "sol", "answer"}) {
    if (key.starts_with(prefix) && key.size() == prefix.size() + 1) {
      key.remove_prefix(prefix.size());
      return std::isdigit(static_cast<unsigned char>(key[0])) != 0 || (key[0] >= 'a' && key[0] <= 'h');
    }
  }
  return key.size() == 1 && key[0] >= 'a' && key[0] <= 'h';
}

// "text", "label"
std::string listed(std::span<const std::string> names) {
  constexpr size_t kShown = 30, kCharacters = 40;
  std::vector<std::string> shown;
  for (const std::string& name : names.first(std::min(names.size(), kShown))) shown.push_back(quote(name, kCharacters));
  return fmt::format("{}{}", fmt::join(shown, ", "), shown.size() < names.size() ? ", ..." : "");
}

class ColumnChooser {
 public:
  explicit ColumnChooser(const ColumnRequest& request) : request_(request) {
    for (const std::string& name : request.names) keys_.push_back(column_key(name));
  }

  std::optional<size_t> find(std::string_view usual) const {
    const auto key = std::find(keys_.begin(), keys_.end(), column_key(usual));
    if (key == keys_.end()) return std::nullopt;
    return static_cast<size_t>(key - keys_.begin());
  }

  // The column that the user names.
  size_t named(const char* field, const std::string& name) const {
    const auto& names = request_.names;
    if (const auto exact = std::find(names.begin(), names.end(), name); exact != names.end()) {
      return static_cast<size_t>(exact - names.begin());
    }
    if (const auto usual = find(name); usual && !name.empty()) return *usual;
    if (const auto number = by_number(field, name)) return *number;
    if (names.empty()) {
      throw DataError("{}: has no header to find the column {} in, as {} asks; give its number", FilePath(path()),
                      quote(name), FieldName(field));
    }
    throw DataError("{}: no column {}, which {} names, but {}{}", FilePath(path()), quote(name), FieldName(field),
                    found(), nearest(name));
  }

  // The only one of a line of usual names, of the first line with any.
  std::optional<size_t> usual(const std::vector<ColumnNames>& ranks, const char* field) const {
    for (const ColumnNames& rank : ranks) {
      std::vector<size_t> fits;
      for (const std::string& name : rank) {
        if (const auto column = find(name)) fits.push_back(*column);
      }
      if (fits.size() > 1) {
        throw DataError("{}: {} and {} could both be meant; say which by {}", FilePath(path()), show(fits[0]),
                        show(fits[1]), FieldName(field));
      }
      if (!fits.empty()) return fits.front();
    }
    return std::nullopt;
  }

  // The only group of which the file has all columns.
  std::vector<size_t> group(const std::vector<ColumnNames>& groups) const {
    std::vector<size_t> found_group;
    for (const ColumnNames& names : groups) {
      std::vector<size_t> columns;
      for (const std::string& name : names) {
        if (const auto column = find(name)) columns.push_back(*column);
      }
      if (columns.size() < names.size()) continue;
      if (!found_group.empty()) {
        throw DataError("{}: {} with {} and {} with {} could both be meant; say which by {} and {}", FilePath(path()),
                        show(found_group[0]), show(found_group[1]), show(columns[0]), show(columns[1]),
                        FieldName("text_column"), FieldName("text_pair_column"));
      }
      found_group = std::move(columns);
    }
    return found_group;
  }

  [[noreturn]] void missing(std::string_view what, const char* field) const {
    throw DataError("{}: no column for the {} of {}, but {}; name it by {}", FilePath(path()), what, request_.task.name,
                    found(), FieldName(field));
  }

  std::string found() const {
    if (request_.names.empty()) return fmt::format("{} columns without names", request_.count);
    return listed(request_.names);
  }

  const std::string& path() const { return request_.path; }

 private:
  std::optional<size_t> by_number(const char* field, const std::string& name) const {
    size_t number = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
    if (request_.count == 0 || error != std::errc() || end != name.data() + name.size()) return std::nullopt;
    if (number < 1 || number > request_.count) {
      throw DataError("{}: {} is {}, expected a column from 1 to {}", FilePath(path()), FieldName(field), number,
                      request_.count);
    }
    return number - 1;
  }

  std::string show(size_t column) const { return quote(request_.names[column], 40); }

  std::string nearest(std::string_view name) const {
    if (name.size() > 100) return "";
    const std::string* best = nullptr;
    size_t best_distance = std::max<size_t>(2, name.size() / 3) + 1;
    for (const std::string& other : request_.names) {
      if (other.size() > 100) continue;
      const size_t distance = edit_distance(name, other);
      if (distance >= best_distance) continue;
      best = &other;
      best_distance = distance;
    }
    return best == nullptr ? "" : fmt::format("; did you mean {}?", quote(*best));
  }

  const ColumnRequest& request_;
  std::vector<std::string> keys_;
};

// The texts that usual names, or the task's, give; fewer than the task needs if there are none.
std::vector<size_t> usual_texts(const ColumnRequest& request, const ColumnChooser& chooser) {
  const Task& task = request.task;
  std::vector<size_t> texts;
  if (!task.text_names.empty()) {
    for (const ColumnNames& names : task.text_names) {
      if (const auto column = chooser.usual({names}, "text_column")) texts.push_back(*column);
    }
    if (texts.size() == task.text_names.size()) return texts;
    texts.clear();
  }
  switch (task.kind) {
    case TaskKind::token_classification:
      if (const auto tokens = chooser.usual({kTokens}, "text_column")) texts = {*tokens};
      return texts;
    case TaskKind::question_answering: {
      const auto question = chooser.usual({kQuestions}, "text_column");
      const auto context = chooser.usual({kContexts}, "text_pair_column");
      if (question && context) texts = {*question, *context};
      return texts;
    }
    case TaskKind::multiple_choice: {
      // A context with a question: the question goes before each choice.
      const auto question = chooser.usual({kPrompts[0]}, "text_column");
      const auto context = chooser.usual({kPrompts[1]}, "text_column");
      if (context) texts.push_back(*context);
      if (question) texts.push_back(*question);
      return texts;
    }
    case TaskKind::triplet: return chooser.group(kTriplets);
    default: break;
  }
  if (task.most_texts >= 2) texts = chooser.group(kPairs);
  if (task.most_texts == 3 && !texts.empty()) {
    if (const auto third = chooser.usual({kNegatives}, "text_third_column")) texts.push_back(*third);
  }
  if (texts.empty() && task.least_texts == 1) {
    if (const auto text = chooser.usual(kSingleTexts, "text_column")) texts = {*text};
  }
  return texts;
}

// The texts that the user names; empty if they name none.
std::vector<size_t> named_texts(const ColumnRequest& request, const ColumnChooser& chooser) {
  const ReadOptions& options = request.options;
  const std::pair<const char*, const std::string*> named[] = {{"text_column", &options.text_column},
                                                              {"text_pair_column", &options.text_pair_column},
                                                              {"text_third_column", &options.text_third_column}};
  const Task& task = request.task;
  const bool tokens = task.kind == TaskKind::token_classification;
  const size_t most = tokens ? 1 : static_cast<size_t>(task.most_texts) + (task.kind == TaskKind::multiple_choice);
  std::vector<size_t> texts;
  bool gap = false;
  for (size_t i = 0; i < 3; ++i) {
    const auto& [field, name] = named[i];
    if (name->empty()) {
      gap = true;
      continue;
    }
    if (i >= most) {
      throw UsageError("{} is set, but the task {} has {}", FieldName(field), task.name,
                       most == 1 ? "one text" : "two texts");
    }
    if (gap) throw UsageError("{} needs {}, too", FieldName(field), FieldName(named[i - 1].first));
    texts.push_back(chooser.named(field, *name));
  }
  return texts;
}

void choose_choices(const ColumnRequest& request, const ColumnChooser& chooser, Roles& roles) {
  if (const auto list = chooser.usual({kChoiceLists}, "format")) {
    roles.choices = {*list};
    return;
  }
  for (size_t column = 0; column < request.names.size(); ++column) {
    if (names_choice(column_key(request.names[column]))) roles.choices.push_back(column);
  }
}

// Where a row of so many fields has what, if the task says so.
const Positions* fitting_positions(const Task& task, size_t count) {
  for (const Positions& positions : task.positions) {
    const auto fields = static_cast<size_t>(positions.fields);
    if (count == fields || (positions.or_more && count > fields)) return &positions;
  }
  return nullptr;
}

size_t least_texts(const Task& task) { return static_cast<size_t>(std::max(task.least_texts, 1)); }

}  // namespace

bool are_column_names(const ColumnRequest& request) {
  const ColumnChooser chooser(request);
  const ReadOptions& options = request.options;
  for (const std::string* name : {&options.text_column, &options.text_pair_column, &options.text_third_column,
                                  &options.label_column, &options.id_column}) {
    if (!name->empty() && !parse_finite(*name) && chooser.find(*name)) return true;
  }
  try {
    if (usual_texts(request, chooser).size() >= least_texts(request.task)) return true;
    if (fitting_positions(request.task, request.count) != nullptr) return false;
    const auto& labels = request.task.label_names.empty() ? usual_labels(request.task.kind)
                                                          : std::vector<ColumnNames>{request.task.label_names};
    return chooser.usual(labels, "label_column").has_value();
  } catch (const DataError&) {
    return true;  // more than one fits
  }
}

Roles choose_columns(const ColumnRequest& request) {
  const ColumnChooser chooser(request);
  const Task& task = request.task;
  const ReadOptions& options = request.options;
  Roles roles;
  roles.texts = named_texts(request, chooser);
  if (roles.texts.empty()) roles.texts = usual_texts(request, chooser);
  if (roles.texts.size() < least_texts(task)) {
    const char* fields[] = {"text_column", "text_pair_column", "text_third_column"};
    if (task.kind == TaskKind::token_classification) chooser.missing("tokens", fields[0]);
    if (roles.texts.empty()) chooser.missing(task.least_texts == 1 ? "text" : "texts", fields[0]);
    chooser.missing(roles.texts.size() == 1 ? "second text" : "third text", fields[roles.texts.size()]);
  }
  if (!options.label_column.empty()) {
    roles.label = chooser.named("label_column", options.label_column);
  } else if (task.kind != TaskKind::contrastive) {
    const auto& labels =
        task.label_names.empty() ? usual_labels(task.kind) : std::vector<ColumnNames>{task.label_names};
    roles.label = chooser.usual(labels, "label_column");
  }
  if (task.kind == TaskKind::multiple_choice) {
    choose_choices(request, chooser, roles);
    if (roles.choices.empty()) {
      throw DataError("{}: no columns for the choices of {}, such as choices or choice1, choice2, but {}",
                      FilePath(request.path), task.name, chooser.found());
    }
  }
  if (!roles.label && options.labels_required && task.kind != TaskKind::contrastive && task.kind != TaskKind::triplet) {
    chooser.missing(task.kind == TaskKind::question_answering ? "answers" : "label", "label_column");
  }
  if (!options.id_column.empty()) {
    roles.id = chooser.named("id_column", options.id_column);
  } else {
    for (size_t i = 0; i < kIds.size() && !roles.id; ++i) roles.id = chooser.find(kIds[i]);
  }
  return roles;
}

Roles choose_positions(const ColumnRequest& request) {
  const Task& task = request.task;
  const ReadOptions& options = request.options;
  if (!options.text_column.empty() || !options.text_pair_column.empty() || !options.label_column.empty()) {
    return choose_columns({task, options, request.path, {}, request.count});
  }
  if (const Positions* positions = fitting_positions(task, request.count)) {
    Roles roles;
    for (const int column : positions->texts) roles.texts.push_back(static_cast<size_t>(column - 1));
    if (positions->label > 0) roles.label = static_cast<size_t>(positions->label - 1);
    if (positions->or_more) roles.least_fields = static_cast<size_t>(positions->fields);
    return roles;
  }
  if (task.kind == TaskKind::multiple_choice && request.count >= 4) {  // prompt, choices, label
    Roles roles{.texts = {0}, .label = request.count - 1};
    for (size_t column = 1; column + 1 < request.count; ++column) roles.choices.push_back(column);
    return roles;
  }
  throw DataError(
      "{}: its first line, {}, does not name the columns of {} ({}); give their names or numbers by {} and {}",
      FilePath(request.path), listed(request.names), task.name, task.columns, FieldName("text_column"),
      FieldName("label_column"));
}

void refuse_columns(const ReadOptions& options, std::string_view why) {
  const std::pair<const char*, const std::string*> named[] = {{"text_column", &options.text_column},
                                                              {"text_pair_column", &options.text_pair_column},
                                                              {"text_third_column", &options.text_third_column},
                                                              {"label_column", &options.label_column},
                                                              {"id_column", &options.id_column}};
  for (const auto& [field, name] : named) {
    if (!name->empty()) throw UsageError("{} {}", FieldName(field), why);
  }
}

}  // namespace roformer
