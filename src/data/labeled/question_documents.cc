#include "data/labeled/question_documents.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "base/error.h"
#include "data/labeled/answers.h"
#include "data/labeled/label_values.h"

namespace roformer {
namespace {

// A value within a file, and where it is, for messages.
class Place {
 public:
  Place(const Json& value, const std::string& path, const char* unit, int64_t number)
      : value_(value), path_(path), unit_(unit), number_(number) {}

  const Json& list(const char* key) const { return get(key, &Json::is_array, "a list"); }
  const std::string& text(const char* key) const {
    return get(key, &Json::is_string, "a text").get_ref<const std::string&>();
  }
  bool has(const char* key) const { return value_.is_object() && value_.contains(key) && !value_.find(key)->is_null(); }
  Place at(const Json& value) const { return {value, path_, unit_, number_}; }

  [[noreturn]] void fail(const std::string& key, const char* expected) const {
    const bool there = value_.is_object() && value_.contains(key);
    throw DataError("{}: {} {}: '{}' is {}, expected {}", FilePath(path_), unit_, number_, KeyName(key),
                    there ? show_json(*value_.find(key)) : "missing", expected);
  }

 private:
  const Json& get(const char* key, bool (Json::*is)() const noexcept, const char* expected) const {
    if (!value_.is_object() || !value_.contains(key)) fail(key, expected);
    const Json& found = *value_.find(key);
    if (!(found.*is)()) fail(key, expected);
    return found;
  }

  const Json& value_;
  const std::string& path_;
  const char* unit_;
  int64_t number_;
};

int64_t answer_begin(const Json& value) {
  return value.is_number_integer() && value.get<int64_t>() >= 0 ? value.get<int64_t>() : -1;
}

std::string id_text(const Json& value, const char* key) {
  const auto id = value.find(key);
  if (id == value.end() || id->is_null()) return "";
  return id->is_string() ? id->get<std::string>() : dump_json(*id);
}

std::vector<AnswerSpan> read_answer_list(const Json& list, const Place& place) {
  constexpr size_t kMostAnswers = 1000;  // each is searched for in the context
  if (list.size() > kMostAnswers) place.fail("answers", "at most 1000 of them");
  std::vector<AnswerSpan> answers;
  for (const Json& item : list) {
    if (item.is_string()) {
      answers.push_back({.text = item.get<std::string>()});
      continue;
    }
    const Place inner = place.at(item);
    answers.push_back({.text = inner.text("text")});
    if (inner.has("answer_start")) answers.back().begin = answer_begin(*item.find("answer_start"));
  }
  return answers;
}

}  // namespace

void read_squad(const Json& document, const std::string& path, int64_t& questions, ExampleMaker& maker) {
  maker.notices().number_by("question");
  const auto here = [&](const Json& value) { return Place(value, path, "question", questions + 1); };
  for (const Json& article : here(document).list("data")) {
    for (const Json& paragraph : here(article).list("paragraphs")) {
      const std::string& context = here(paragraph).text("context");
      const CodePointIndex index(context);
      for (const Json& entry : here(paragraph).list("qas")) {
        const Place question = here(entry);
        Example example;
        example.line = ++questions;
        example.texts = {question.text("question"), context};
        example.id = id_text(entry, "id");
        const bool impossible = question.has("is_impossible") && *entry.find("is_impossible") == true;
        if (!impossible && question.has("answers"))
          example.answers = read_answer_list(question.list("answers"), question);
        example.labeled = impossible || !example.answers.empty();
        if (trim_spaces(example.texts[0]).empty() || trim_spaces(context).empty()) {
          maker.drop("with an empty text", questions);
          continue;
        }
        locate_answers(index, example, maker.notices());
        maker.add(std::move(example));
      }
    }
  }
}

void read_c3(const Json& document, const std::string& path, int64_t& questions, ExampleMaker& maker) {
  if (!document.is_array() || document.size() < 2 || !document[0].is_array() || !document[1].is_array()) {
    throw DataError("{}: question {}: found {}, expected a list of utterances and a list of questions", FilePath(path),
                    questions + 1, show_json(document));
  }
  maker.notices().number_by("question");
  std::string context;
  for (const Json& utterance : document[0]) {
    if (!utterance.is_string()) {
      throw DataError("{}: question {}: the context has {}, expected texts", FilePath(path), questions + 1,
                      show_json(utterance));
    }
    if (!context.empty()) context += '\n';
    context += utterance.get_ref<const std::string&>();
  }
  for (const Json& entry : document[1]) {
    const Place question = Place(entry, path, "question", ++questions);
    RecordCells cells;
    cells.texts = {{Cell::Kind::text, context, {}}, {Cell::Kind::text, question.text("question"), {}}};
    Cell choices{Cell::Kind::list, {}, {}};
    for (const Json& choice : question.list("choice")) {
      if (!choice.is_string()) question.fail("choice", "a list of texts");
      choices.items.push_back(choice.get<std::string>());
    }
    cells.choices = {std::move(choices)};
    if (question.has("answer")) cells.label = {Cell::Kind::text, question.text("answer"), {}};
    if (document.size() > 2 && document[2].is_string()) {
      cells.id = {Cell::Kind::text, document[2].get<std::string>(), {}};
    }
    maker.add(std::move(cells), questions);
  }
}

std::optional<std::vector<AnswerSpan>> read_answers(const Json& value, const std::string& path, int64_t line) {
  if (value.is_null()) return std::nullopt;
  if (value.is_string()) return std::vector<AnswerSpan>{{.text = value.get<std::string>()}};
  const Place place(value, path, "line", line);
  if (value.is_array()) return read_answer_list(value, place);
  const Json& texts = place.list("text");
  std::vector<AnswerSpan> answers = read_answer_list(texts, place);
  if (place.has("answer_start")) {
    const Json& starts = place.list("answer_start");
    if (starts.size() != answers.size()) place.fail("answer_start", "as many numbers as there are texts");
    for (size_t i = 0; i < answers.size(); ++i) answers[i].begin = answer_begin(starts[i]);
  }
  return answers;
}

}  // namespace roformer
