#include "data/labeled/chinese_records.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <tuple>
#include <utility>

#include "base/error.h"
#include "base/utf8.h"
#include "data/labeled/answers.h"

namespace roformer {
namespace {

constexpr std::string_view kIdiomMark = "#idiom#";
constexpr std::string_view kBlank = "____";

const std::string& text_of(const Json& object, const char* key, const std::string& path, int64_t line) {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_string()) {
    throw DataError("{}:{}: '{}' is {}, expected a text", FilePath(path), LineNumber(line), KeyName(key),
                    found == object.end() ? "missing" : show_json(*found));
  }
  return found->get_ref<const std::string&>();
}

bool rewrite_chid(Json& record, const std::string& path, int64_t line, ExampleMaker& maker) {
  std::string content = text_of(record, "content", path, line);
  size_t mark = content.find(kIdiomMark);
  if (mark == std::string::npos) {
    maker.drop("without #idiom# in its content", line);
    return false;
  }
  for (; mark != std::string::npos; mark = content.find(kIdiomMark, mark)) {
    content.replace(mark, kIdiomMark.size(), kBlank);
  }
  record["content"] = std::move(content);
  return true;
}

bool rewrite_cluewsc(Json& record, const std::string& path, int64_t line, ExampleMaker& maker) {
  const std::string& text = text_of(record, "text", path, line);
  const auto target = record.find("target");
  if (target == record.end() || !target->is_object()) {
    throw DataError("{}:{}: '{}' is {}, expected an object with two spans", FilePath(path), LineNumber(line),
                    KeyName("target"), target == record.end() ? "missing" : show_json(*target));
  }
  Example spans;
  spans.line = line;
  for (const auto& [name, number] : {std::pair{"span1_text", "span1_index"}, std::pair{"span2_text", "span2_index"}}) {
    const auto index = target->find(number);
    const bool placed = index != target->end() && index->is_number_integer() && index->get<int64_t>() >= 0;
    spans.answers.push_back({text_of(*target, name, path, line), placed ? index->get<int64_t>() : -1});
  }
  const CodePointIndex index(text);
  Notices moved;
  locate_answers(index, spans, moved);
  struct Mark {
    size_t byte;
    bool closes;  // before another mark at the same byte that opens
    const char* text;
  };
  std::vector<Mark> marks;
  for (size_t i = 0; i < 2; ++i) {
    const AnswerSpan& span = spans.answers[i];
    if (span.begin < 0 || span.text.empty()) {
      maker.drop("with a span that is nowhere in its text", line);
      return false;
    }
    const size_t begin = index.byte(span.begin);
    marks.push_back({begin, false, i == 0 ? "_" : "["});
    marks.push_back({begin + span.text.size(), true, i == 0 ? "_" : "]"});
  }
  if (!moved.lines("").empty()) maker.notices().count("moved", "span", "to where the text has it", line);
  std::stable_sort(marks.begin(), marks.end(), [](const Mark& a, const Mark& b) {
    return std::pair(a.byte, !a.closes) > std::pair(b.byte, !b.closes);
  });
  std::string marked = text;
  for (const Mark& mark : marks) marked.insert(mark.byte, mark.text);
  record["text"] = std::move(marked);
  return true;
}

struct Entity {
  int64_t first, last;  // code points
  std::string type;
};

std::vector<Entity> read_entities(const Json& label, const CodePointIndex& text, const std::string& path, int64_t line,
                                  ExampleMaker& maker) {
  const auto expect = [&](bool as_expected, const Json& value) {
    if (as_expected) return;
    throw DataError("{}:{}: '{}' has {}, expected {{type: {{entity: [[first, last]]}}}}", FilePath(path),
                    LineNumber(line), KeyName("label"), show_json(value));
  };
  std::vector<Entity> entities;
  expect(label.is_object(), label);
  for (const auto& [type, names] : label.items()) {
    expect(names.is_object(), names);
    for (const auto& [name, spans] : names.items()) {
      expect(spans.is_array(), spans);
      for (const Json& span : spans) {
        expect(span.is_array() && span.size() == 2 && span[0].is_number_integer() && span[1].is_number_integer(), span);
        const int64_t first = span[0].get<int64_t>(), last = span[1].get<int64_t>();
        if (first < 0 || last < first || last >= text.size()) {
          maker.notices().count("dropped", "entity mention", "beyond the ends of their texts", line);
        } else {
          entities.push_back({first, last, type});
        }
      }
    }
  }
  return entities;
}

void rewrite_cluener(Json& record, const std::string& path, int64_t line, ExampleMaker& maker) {
  const std::string text = text_of(record, "text", path, line);
  const CodePointIndex index(text);
  Json tokens = Json::array();
  for (size_t begin = 0; begin < text.size();) {
    const auto length = static_cast<size_t>(decode_utf8(text.data() + begin).length);
    tokens.push_back(text.substr(begin, length));
    begin += length;
  }
  const auto label = record.find("label");
  if (label != record.end() && !label->is_null()) {
    std::vector<Entity> entities = read_entities(*label, index, path, line, maker);
    std::sort(entities.begin(), entities.end(), [](const Entity& a, const Entity& b) {
      return std::tuple(a.first - a.last, a.first, a.type) < std::tuple(b.first - b.last, b.first, b.type);
    });
    Json tags(tokens.size(), "O");
    for (const Entity& entity : entities) {
      const auto begin = tags.begin() + entity.first, end = tags.begin() + entity.last + 1;
      if (*begin != "O" || *(end - 1) != "O") {  // those before are as long, so that they cover an end
        maker.notices().count("dropped", "entity mention", "within others", line);
        continue;
      }
      std::fill(begin, end, "I-" + entity.type);
      *begin = "B-" + entity.type;
    }
    record["tags"] = std::move(tags);
  }
  record["tokens"] = std::move(tokens);
  record.erase("label");
  record.erase("text");
}

}  // namespace

bool rewrite_record(FileShape shape, Json& record, const std::string& path, int64_t line, ExampleMaker& maker) {
  switch (shape) {
    case FileShape::chid: return rewrite_chid(record, path, line, maker);
    case FileShape::cluewsc: return rewrite_cluewsc(record, path, line, maker);
    case FileShape::cluener:
      if (record.contains("text")) rewrite_cluener(record, path, line, maker);
      return true;
    default: return true;
  }
}

}  // namespace roformer
