#include "text/pipeline/post_processor.h"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "text/pipeline/part.h"

namespace roformer {

namespace {

using Kind = TemplatePart::Kind;

class TemplateReader {
 public:
  TemplateReader(const PipelinePart& part, int32_t vocabulary_size) : part_(part), size_(vocabulary_size) {}

  PipelineTemplates read() {
    const std::string& type = part_.type();
    if (type == "TemplateProcessing") {
      result_.single = read_template("single");
      result_.pair = read_template("pair");
      check("single", result_.single, 1, 0);
      check("pair", result_.pair, 1, 1);
    } else if (type == "BertProcessing") {
      read_pair(1, false);
    } else if (type == "RobertaProcessing") {
      read_pair(0, true);
    } else {
      part_.refuse("TemplateProcessing, BertProcessing, RobertaProcessing or ByteLevel");
    }
    return std::move(result_);
  }

 private:
  const JsonObject& json() const { return part_.json(); }

  int32_t read_id(const Json& id, const std::string& key) const {
    if (!id.is_number_unsigned() || id.get<uint64_t>() >= static_cast<uint64_t>(size_)) {
      throw DataError("{}: '{}' has the id {}, expected one below {}", json().source(), KeyName(key), show_json(id),
                      size_);
    }
    return id.get<int32_t>();
  }

  // "cls": ["[CLS]", 101]
  int32_t read_token(const std::string& key, std::string& name) const {
    const Json value = json().value().value(key, Json());
    if (!value.is_array() || value.size() != 2 || !value[0].is_string()) json().reject(key, "a token and its id");
    name = value[0].get<std::string>();
    return read_id(value[1], key);
  }

  // [CLS] text [SEP], and with a second text [SEP] (or [SEP] [SEP]) pair [SEP].
  void read_pair(int32_t segment, bool twice) {
    const int32_t cls = read_token("cls", result_.begin), sep = read_token("sep", result_.end);
    result_.single = {{Kind::special, cls, 0}, {Kind::text, -1, 0}, {Kind::special, sep, 0}};
    result_.pair = result_.single;
    if (twice) result_.pair.push_back({Kind::special, sep, segment});
    result_.pair.push_back({Kind::pair, -1, segment});
    result_.pair.push_back({Kind::special, sep, segment});
  }

  EncodingTemplate read_template(const char* key) {
    EncodingTemplate parts;
    if (!json().has(key) || !json().value()[key].is_array()) json().reject(key, "an array");
    for (const Json& entry : json().value()[key]) {
      const JsonObject object(entry, fmt::format("{}: '{}'", json().source(), key));
      const bool text = object.has("Sequence");
      const JsonObject inner = object.get_object(text ? "Sequence" : "SpecialToken");
      const auto segment =
          static_cast<int32_t>(inner.get_int("type_id", std::nullopt, 0, std::numeric_limits<int32_t>::max()));
      const std::string id = inner.get_string("id", std::nullopt);
      if (!text) {
        append_special(id, segment, parts);
      } else if (id == "A" || id == "B") {
        parts.push_back({id == "A" ? Kind::text : Kind::pair, -1, segment});
      } else {
        inner.reject("id", "A or B");
      }
    }
    if (std::string_view(key) == "single") name_ends(parts);
    return parts;
  }

  // The ids of a special token of the template are those of "special_tokens", of which there may be several.
  void append_special(const std::string& name, int32_t segment, EncodingTemplate& parts) {
    const JsonObject tokens = json().get_object("special_tokens");
    if (!tokens.has(name)) {
      throw DataError("{}: '{}' has no {}", json().source(), KeyName("special_tokens"), quote(name));
    }
    const JsonObject token = tokens.get_object(name);
    if (!token.has("ids") || !token.value()["ids"].is_array()) token.reject("ids", "an array");
    for (const Json& id : token.value()["ids"]) parts.push_back({Kind::special, read_id(id, "ids"), segment});
    names_.resize(parts.size(), name);
  }

  void name_ends(const EncodingTemplate& parts) {
    names_.resize(parts.size());
    if (parts.empty()) return;
    if (parts.front().kind == Kind::special) result_.begin = names_.front();
    if (parts.back().kind == Kind::special) result_.end = names_.back();
  }

  void check(const char* key, const EncodingTemplate& parts, std::ptrdiff_t texts, std::ptrdiff_t pairs) const {
    if (std::ranges::count(parts, Kind::text, &TemplatePart::kind) != texts ||
        std::ranges::count(parts, Kind::pair, &TemplatePart::kind) != pairs) {
      part_.refuse_value(key, pairs == 0 ? "the sequence A once" : "the sequences A and B once each");
    }
  }

  const PipelinePart& part_;
  int32_t size_;
  PipelineTemplates result_;
  std::vector<std::string> names_;  // of the parts of "single"
};

}  // namespace

PipelineTemplates read_templates(const JsonObject& file, int32_t vocabulary_size) {
  PipelineTemplates templates;
  templates.single = {{Kind::text, -1, 0}};
  templates.pair = {{Kind::text, -1, 0}, {Kind::pair, -1, 1}};
  bool trims = false, keeps_first = false, has_templates = false;
  for (const PipelinePart& part : read_pipeline_parts(file, "post_processor", "processors", "post-processor")) {
    const bool byte_level = part.type() == "ByteLevel";
    if ((byte_level || part.type() == "RobertaProcessing") && part.json().get_bool("trim_offsets", true)) {
      if (trims) part.refuse_value("trim_offsets", "true once");
      trims = true;
      keeps_first = part.json().get_bool("add_prefix_space", true);
    }
    if (byte_level) continue;
    if (has_templates) part.refuse("one besides ByteLevel");
    has_templates = true;
    templates = TemplateReader(part, vocabulary_size).read();
  }
  templates.trims_offsets = trims;
  templates.keeps_first_space = keeps_first;
  return templates;
}

PipelineTemplates make_templates(const Vocabulary& vocabulary, const std::string& begin, const std::string& end) {
  PipelineTemplates result;
  result.begin = begin;
  result.end = end;
  const auto append = [&](const std::string& name, int32_t segment, EncodingTemplate& parts) {
    if (const auto id = vocabulary.id(name); id && !name.empty()) parts.push_back({Kind::special, *id, segment});
  };
  append(begin, 0, result.single);
  result.single.push_back({Kind::text, -1, 0});
  append(end, 0, result.single);
  result.pair = result.single;
  append(begin, 1, result.pair);
  result.pair.push_back({Kind::pair, -1, 1});
  append(end, 1, result.pair);
  return result;
}

}  // namespace roformer
