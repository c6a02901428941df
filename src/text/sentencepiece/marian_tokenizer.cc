#include "text/sentencepiece/marian_tokenizer.h"

#include <nlohmann/json.hpp>
#include <unordered_map>

#include "base/utf8.h"

namespace roformer {

namespace {

using Type = SentencePieceModel::Type;

constexpr int64_t kDefaultMaxLength = 512;  // MarianTokenizer's, where tokenizer_config.json has none

// The bytes of the language code that a text starts with; 0 without one.
size_t language_code(std::string_view text) {
  if (!text.starts_with(">>")) return 0;
  const size_t close = text.find("<<");
  return close == text.npos ? 0 : close + 2;
}

}  // namespace

MarianTokenizer::MarianTokenizer(SentencePieceModel model, const SentencePieceModel& decoding, Vocabulary tokens,
                                 Settings settings, std::shared_ptr<const MarianFiles> files, const std::string& where)
    : Tokenizer(std::move(tokens), settings.specials, where, {SpecialToken::cls, SpecialToken::mask}),
      files_(std::move(files)),
      model_(std::move(model)),
      settings_(std::move(settings)),
      normalizer_(model_, where),
      segmenter_(model_, normalizer_),
      strips_prefix_(decoding.add_dummy_prefix || decoding.remove_extra_whitespaces),
      strips_spaces_(decoding.remove_extra_whitespaces) {
  using Kind = TemplatePart::Kind;
  const TemplatePart first{Kind::text, -1, 0}, second{Kind::pair, -1, 1}, end{Kind::special, sep_id(), 0};
  set_templates({first, end}, {first, second, end});
  set_model_max_length(kDefaultMaxLength);
  ids_.reserve(model_.pieces.size());
  for (const std::string& piece : model_.pieces) ids_.push_back(id_or_unknown(piece));

  std::unordered_map<std::string_view, SentencePieceModel::Type> types;
  for (size_t id = 0; id < decoding.pieces.size(); ++id) types.emplace(decoding.pieces[id], decoding.types[id]);
  decoded_.reserve(static_cast<size_t>(vocabulary_size()));
  for (int32_t id = 0; id < vocabulary_size(); ++id) {
    const auto found = types.find(token(id));
    const Type type = found == types.end() ? Type::unknown : found->second;
    decoded_.push_back(type == Type::unknown   ? Decoded::other
                       : type == Type::control ? Decoded::nothing
                       : type == Type::byte    ? Decoded::byte
                                               : Decoded::piece);
  }
}

int32_t MarianTokenizer::id_or_unknown(std::string_view token) const {
  const auto found = id(token);
  return found ? *found : unk_id();
}

void MarianTokenizer::append(std::string_view text, int64_t first, std::vector<int32_t>& ids, Offsets* offsets) const {
  if (const size_t code = language_code(text); code > 0) {
    const int64_t end = first + count_code_points(text.substr(0, code));
    ids.push_back(id_or_unknown(text.substr(0, code)));
    if (offsets) offsets->push_back({first, end});
    text.remove_prefix(code);
    first = end;
  }
  const NormalizedText normal = normalizer_.normalize(text, /*prefix=*/true, offsets != nullptr);
  const auto origin = [&](int32_t offset) { return first + normal.origins[static_cast<size_t>(offset)]; };
  for (const auto& [begin, end, piece] : segmenter_.cut(normal.text)) {
    // Unknown characters may be a token all the same: the vocabulary is not the model's alone.
    const auto characters =
        std::string_view(normal.text).substr(static_cast<size_t>(begin), static_cast<size_t>(end - begin));
    ids.push_back(piece == model_.unknown ? id_or_unknown(characters) : ids_[static_cast<size_t>(piece)]);
    if (offsets) offsets->push_back({origin(begin), origin(end)});
  }
}

bool MarianTokenizer::is_continuation(int32_t id) const {
  return !is_special(id) && !token(id).starts_with(kSentencePieceSpace);
}

void MarianTokenizer::append_text(int32_t id, DecodeState& state, std::string& bytes) const {
  std::string_view text = token(id);
  if (is_special(id)) {
    bytes.append(text).push_back(' ');
    state.at_start = true;  // of the text that follows
    return;
  }
  const Decoded kind = decoded_[static_cast<size_t>(id)];
  if (kind == Decoded::nothing) return;
  if (kind == Decoded::byte) {
    bytes += static_cast<char>(byte_of_piece(text));
    state.at_start = false;
    return;
  }
  if (kind == Decoded::piece && state.at_start && strips_prefix_ && text.starts_with(kSentencePieceSpace)) {
    text.remove_prefix(kSentencePieceSpace.size());
    if (!strips_spaces_) state.at_start = false;  // at most one
  }
  if (!text.empty()) state.at_start = false;
  append_unescaped(text, bytes);
}

nlohmann::ordered_json MarianTokenizer::config() const {
  nlohmann::ordered_json config = {{"separate_vocabs", files_->target_vocabulary.has_value()}};
  const auto put = [&](const char* key, const std::string& language) {
    if (!language.empty()) config[key] = language;
  };
  if (settings_.languages) {
    put("source_lang", settings_.languages->source);
    put("target_lang", settings_.languages->target);
  }
  return config;
}

std::map<std::string, std::string> MarianTokenizer::files() const {
  const SpecialTokens& names = special_tokens();
  std::map<std::string, std::string> files = {
      {"source.spm", files_->source_model},
      {"target.spm", files_->target_model},
      {"vocab.json", files_->vocabulary},
      {"tokenizer_config.json",
       config_file({{"eos_token", names.sep}, {"unk_token", names.unk}, {"pad_token", names.pad}})}};
  if (files_->target_vocabulary) files["target_vocab.json"] = *files_->target_vocabulary;
  return files;
}

}  // namespace roformer
