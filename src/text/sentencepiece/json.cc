#include "text/sentencepiece/json.h"

#include <algorithm>
#include <array>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <unordered_map>
#include <utility>

#include "base/error.h"
#include "text/added_tokens.h"

namespace roformer {

namespace {

using Type = SentencePieceModel::Type;

std::string type_of(const JsonObject& part) { return part.get_string("type", ""); }

JsonObject part_of(const JsonObject& file, const Json& value, const char* name) {
  return {value, fmt::format("{}: '{}'", file.source(), name)};
}

const Json& array_of(const JsonObject& part, const char* key, const char* expected) {
  if (!part.has(key) || !part.value()[key].is_array()) part.reject(key, expected);
  return part.value()[key];
}

// The parts of a "Sequence", or the single part; none if null.
std::vector<JsonObject> parts_of(const JsonObject& file, const char* name, const char* list) {
  std::vector<JsonObject> parts;
  if (!file.has(name)) return parts;
  JsonObject part = file.get_object(name);
  if (type_of(part) != "Sequence") {
    parts.push_back(std::move(part));
    return parts;
  }
  for (const Json& entry : array_of(part, list, "an array")) parts.push_back(part_of(file, entry, name));
  return parts;
}

void require_absent(const JsonObject& part, const char* key) {
  if (!part.has(key)) return;
  const Json& value = part.value()[key];
  const bool nothing = value == false || (value.is_string() && value.get_ref<const std::string&>().empty());
  if (!nothing) part.reject(key, "none");
}

void require_space(const JsonObject& part, const char* key) {
  if (part.get_string(key, std::string(kSentencePieceSpace)) != kSentencePieceSpace) part.reject(key, "\"\u2581\"");
}

class Reader {
 public:
  explicit Reader(const JsonObject& file) : file_(file) {}

  FastSentencePiece read() {
    const JsonObject model = file_.get_object("model");
    SentencePieceModel& result = result_.model;
    result.kind = type_of(model) == "BPE" ? SentencePieceModel::Kind::bpe : SentencePieceModel::Kind::unigram;
    result.remove_extra_whitespaces = false;
    result.add_dummy_prefix = false;
    result.byte_fallback = model.get_bool("byte_fallback", false);
    const int32_t unknown = result.kind == SentencePieceModel::Kind::bpe ? read_bpe(model) : read_unigram(model);
    set_types(unknown);
    finish_sentencepiece_model(result, {}, model.source());
    if (result.kind == SentencePieceModel::Kind::bpe) read_merges(model);
    if (result.kind == SentencePieceModel::Kind::unigram) check_scores(model);
    read_spaces();
    read_special_template();
    return std::move(result_);
  }

 private:
  FilePath location_of(const JsonObject& part) const { return {file_.source(), part.source()}; }
  [[noreturn]] void refuse(const JsonObject& part, const std::string& why) const {
    throw DataError("{}: {} is not supported: {}", location_of(part), show_json(part.value()), why);
  }

  int32_t read_bpe(const JsonObject& model) {
    for (const char* key : {"dropout", "continuing_subword_prefix", "end_of_word_suffix", "ignore_merges"}) {
      require_absent(model, key);
    }
    if (!result_.model.byte_fallback && !model.get_bool("fuse_unk", false)) {
      model.reject("fuse_unk", "true, or byte_fallback");
    }
    VocabularyObject vocabulary = read_vocabulary_object(model);
    if (!vocabulary.holes.empty()) {
      throw DataError("{}: no token has the id {}, expected one for each id up to {}", location_of(model),
                      vocabulary.holes[0], vocabulary.tokens.size() - 1);
    }
    result_.model.pieces = std::move(vocabulary.tokens);
    result_.model.scores.resize(result_.model.pieces.size());
    const auto& pieces = result_.model.pieces;
    // With byte fallback nothing is unknown and transformers writes no unk_token; a Tokenizer needs one nevertheless.
    const std::optional<std::string> none = result_.model.byte_fallback ? std::optional("<unk>") : std::nullopt;
    const auto unknown = std::ranges::find(pieces, model.get_string("unk_token", none));
    if (unknown == pieces.end()) model.reject("unk_token", "a token of the vocabulary");
    return static_cast<int32_t>(unknown - pieces.begin());
  }

  int32_t read_unigram(const JsonObject& model) {
    const Json& entries = array_of(model, "vocab", "an array of pieces and scores");
    if (entries.empty() || entries.size() > kMaxTokens) {
      throw DataError("{}: {} pieces, expected 1 to {}", location_of(model), entries.size(), kMaxTokens);
    }
    if (result_.model.byte_fallback) model.reject("byte_fallback", "false: only BPE's is supported");
    result_.model.double_sums = true;
    for (const Json& entry : entries) {
      if (!entry.is_array() || entry.size() != 2 || !entry[0].is_string() || !entry[1].is_number()) {
        throw DataError("{}: {} is not a piece with a score", location_of(model), show_json(entry));
      }
      const auto score = entry[1].get<double>();
      const auto rounded = static_cast<float>(score);
      if (static_cast<double>(rounded) != score) {
        throw DataError("{}: the score of {} is {}, expected a float32 value, as in SentencePiece", location_of(model),
                        quote(entry[0].get<std::string>()), show_json(entry[1]));
      }
      result_.model.pieces.push_back(entry[0].get<std::string>());
      result_.model.scores.push_back(rounded);
      if (result_.model.pieces.back().empty()) throw DataError("{}: an empty piece", location_of(model));
    }
    return static_cast<int32_t>(model.get_int("unk_id", std::nullopt, 0, std::ssize(entries) - 1));
  }

  // Added tokens are ordinary pieces here; they are normally matched before segmentation.
  void set_types(int32_t unknown) {
    SentencePieceModel& model = result_.model;
    model.types.assign(model.pieces.size(), Type::normal);
    if (model.byte_fallback) {
      for (size_t id = 0; id < model.pieces.size(); ++id) {
        if (byte_of_piece(model.pieces[id]) >= 0) model.types[id] = Type::byte;
      }
    }
    result_.added = read_added_token_list(file_);
    bool found = false;
    for (const AddedToken& token : result_.added) {
      if (token.normalized) {
        throw DataError("{}: the added token {} is found in the normalized text, expected '{}' false",
                        location_of(file_), quote(token.content), KeyName("normalized"));
      }
      found = found || token.id == unknown;
    }
    if (!found) {
      throw DataError("{}: {} is not among the added tokens", location_of(file_),
                      quote(model.pieces[static_cast<size_t>(unknown)]));
    }
    model.types[static_cast<size_t>(unknown)] = Type::unknown;
  }

  void read_merges(const JsonObject& model) {
    SentencePieceModel& result = result_.model;
    std::unordered_map<std::string_view, int32_t> ids;
    for (size_t id = 0; id < result.pieces.size(); ++id) ids.emplace(result.pieces[id], static_cast<int32_t>(id));
    const Json& entries = array_of(model, "merges", "an array of pairs of pieces");
    if (entries.empty() || entries.size() > kMaxTokens) {
      throw DataError("{}: {} merges, expected 1 to {}", location_of(model), entries.size(), kMaxTokens);
    }
    std::set<std::array<int32_t, 2>> seen;
    for (const Json& entry : entries) {
      const auto [left, right] = read_merge(entry, location_of(model));
      const auto a = ids.find(left), b = ids.find(right), whole = ids.find(left + right);
      if (a == ids.end() || b == ids.end() || whole == ids.end()) {
        throw DataError("{}: the merge {} does not join two tokens into a third of the vocabulary", location_of(model),
                        show_json(entry));
      }
      if (result.type(whole->second) == Type::byte) {
        throw DataError("{}: the merge {} yields a byte token", location_of(model), show_json(entry));
      }
      if (!seen.insert({a->second, b->second}).second) {
        throw DataError("{}: the merge {} occurs twice", location_of(model), show_json(entry));
      }
      result.merges.push_back({a->second, b->second});
    }
  }

  // The cost of a character without a piece derives from the worst of all pieces in tokenizers, but of all except <unk>
  // here.
  void check_scores(const JsonObject& model) const {
    const SentencePieceModel& result = result_.model;
    float worst_normal = std::numeric_limits<float>::max(), worst = worst_normal;
    for (size_t id = 0; id < result.pieces.size(); ++id) {
      worst = std::min(worst, result.scores[id]);
      if (result.types[id] == Type::normal) worst_normal = std::min(worst_normal, result.scores[id]);
    }
    if (worst != worst_normal) {
      throw DataError("{}: the unknown token has the lowest score, {}, expected another piece to have it",
                      location_of(model), worst);
    }
  }

  // How spaces become U+2581, and where a dummy prefix is added.
  void read_spaces() {
    bool escaped = false;
    SentencePieceModel& model = result_.model;
    for (const JsonObject& part : parts_of(file_, "normalizer", "normalizers")) {
      const std::string type = type_of(part);
      if (type == "Prepend" && !escaped && !model.add_dummy_prefix) {
        if (part.get_string("prepend", "") != kSentencePieceSpace) part.reject("prepend", "\"\u2581\"");
        model.add_dummy_prefix = result_.legacy = true;
      } else if (type == "Replace" && !escaped) {
        if (part.get_object("pattern").get_string("String", "") != " ") part.reject("pattern", "{\"String\":\" \"}");
        require_space(part, "content");
        escaped = true;
      } else if (type == "Precompiled") {
        refuse(part,
               "tokenizers applies its rules differently from SentencePiece; add the model's spiece.model to the "
               "directory");
      } else {
        refuse(part, "expected Prepend, then Replace of a space");
      }
    }
    const auto parts = parts_of(file_, "pre_tokenizer", "pretokenizers");
    if (parts.empty() && escaped) return;
    if (parts.size() != 1 || escaped || type_of(parts[0]) != "Metaspace") {
      throw DataError("{}: '{}' is {}, expected {}", location_of(file_), KeyName("pre_tokenizer"),
                      show_json(file_.value().value("pre_tokenizer", Json())),
                      escaped ? "none after such a normalizer" : "Metaspace");
    }
    read_metaspace(parts[0]);
  }

  void read_metaspace(const JsonObject& part) {
    require_space(part, "replacement");
    const std::string scheme =
        part.get_string("prepend_scheme", part.get_bool("add_prefix_space", true) ? "always" : "never");
    if (scheme != "always" && scheme != "first" && scheme != "never") {
      part.reject("prepend_scheme", "always, first or never");
    }
    result_.model.add_dummy_prefix = scheme != "never";
    result_.model.prefix_before_space = false;
    result_.model.words_alone = part.get_bool("split", true);
    result_.legacy = scheme == "always";
  }

  using Names = std::vector<std::string>;

  // The special tokens of a template before the first text, after it, and after the second.
  static std::vector<Names> names_around(const JsonObject& part, const char* key) {
    std::vector<Names> groups = {{}};
    for (const Json& entry : array_of(part, key, "an array")) {
      const JsonObject object(entry, part.source());
      if (object.has("Sequence")) {
        groups.emplace_back();
      } else {
        groups.back().push_back(object.get_object("SpecialToken").get_string("id", std::nullopt));
      }
    }
    return groups;
  }

  void read_special_template() {
    result_.special_template = {.cls = false, .sep = false, .repeat_cls = false};
    if (!file_.has("post_processor")) return;
    const JsonObject part = file_.get_object("post_processor");
    if (type_of(part) != "TemplateProcessing") refuse(part, "expected TemplateProcessing");
    const auto single = names_around(part, "single"), pair = names_around(part, "pair");
    if (single.size() != 2 || pair.size() != 3) refuse(part, "expected one text, and two");
    const Names &before = single[0], &behind = single[1];
    Names both = behind;
    both.insert(both.end(), before.begin(), before.end());
    if (before.size() > 1 || behind.size() > 1 || pair[0] != before || pair[2] != behind ||
        (pair[1] != behind && pair[1] != both)) {
      refuse(part, "expected at most one token before and one after each text");
    }
    result_.special_template = {.cls = !before.empty(), .sep = !behind.empty(), .repeat_cls = false};
    result_.special_template.repeat_cls = result_.special_template.cls && pair[1] == both;
    if (result_.special_template.cls) result_.begin = before[0];
    if (result_.special_template.sep) result_.end = behind[0];
  }

  const JsonObject& file_;
  FastSentencePiece result_;
};

}  // namespace

bool is_fast_sentencepiece(const JsonObject& file) {
  if (!file.has("model") || !file.value()["model"].is_object()) return false;
  const Json type = file.value()["model"].value("type", Json());
  return type == "BPE" || type == "Unigram";
}

FastSentencePiece read_fast_sentencepiece(const JsonObject& file) { return Reader(file).read(); }

}  // namespace roformer
