#include "text/sentencepiece/tokenizer.h"

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/utf8.h"
#include "text/unicode.h"

namespace roformer {

namespace {

using Type = SentencePieceModel::Type;

bool names_begin_and_end(std::string_view tokenizer_class) { return tokenizer_class != kSentencePieceTokenizerClass; }

std::vector<int32_t> control_pieces(const SentencePieceModel& model) {
  std::vector<int32_t> ids;
  for (int32_t id = 0; id < static_cast<int32_t>(model.pieces.size()); ++id) {
    if (model.type(id) == Type::control) ids.push_back(id);
  }
  return ids;
}

bool starts_with_space(std::string_view text) { return is_whitespace(decode_utf8(text.data()).value); }

}  // namespace

SentencePieceTokenizer::SentencePieceTokenizer(SentencePieceModel model, SentencePieceFile file, Vocabulary vocabulary,
                                               SentencePieceSettings settings, const std::string& where)
    : Tokenizer(std::move(vocabulary), settings.specials, where, {SpecialToken::mask}),
      file_(std::move(file)),
      model_(std::move(model)),
      settings_(std::move(settings)),
      normalizer_(model_, where),
      segmenter_(model_, normalizer_) {
  set_special_template(settings_.special_template);
  if (settings_.mask_takes_space) set_mask_takes_space();
  mark_special(control_pieces(model_));
}

void SentencePieceTokenizer::append(std::string_view text, int64_t first, std::vector<int32_t>& ids,
                                    Offsets* offsets) const {
  const bool prefix = settings_.legacy || first == 0;
  const NormalizedText normal = normalizer_.normalize(text, prefix, offsets != nullptr);
  const auto origin = [&](int32_t offset) { return first + normal.origins[static_cast<size_t>(offset)]; };
  for (const auto& [begin, end, id] : segmenter_.cut(normal.text)) {
    ids.push_back(id);
    if (offsets) offsets->push_back({origin(begin), origin(end)});
  }
}

bool SentencePieceTokenizer::is_continuation(int32_t id) const {
  if (is_special(id) || id >= static_cast<int32_t>(model_.pieces.size())) return false;
  const std::string_view piece = token(id);
  if (model_.type(id) == Type::byte) {
    const int byte = byte_of_piece(piece);
    return byte >= 0x80 || !is_whitespace(static_cast<char32_t>(byte));
  }
  return !piece.starts_with(kSentencePieceSpace) && !starts_with_space(piece);
}

void SentencePieceTokenizer::append_text(int32_t id, DecodeState& state, std::string& bytes) const {
  std::string_view piece = token(id);
  if (is_special(id)) {  // decoded on request, but not part of the text's start
    bytes += piece;
    return;
  }
  if (id < static_cast<int32_t>(model_.pieces.size())) {
    if (model_.type(id) == Type::byte) {
      bytes += static_cast<char>(byte_of_piece(piece));
      state.at_start = false;
      return;
    }
    if (state.at_start && (model_.add_dummy_prefix || model_.remove_extra_whitespaces) &&
        piece.starts_with(kSentencePieceSpace)) {
      piece.remove_prefix(kSentencePieceSpace.size());
      if (!model_.remove_extra_whitespaces) state.at_start = false;  // at most one
    }
  }
  if (!piece.empty()) state.at_start = false;
  append_unescaped(piece, bytes);
}

nlohmann::ordered_json SentencePieceTokenizer::config() const {
  const bool llama = settings_.tokenizer_class.starts_with(kLlamaTokenizerClass);
  if (!llama && !settings_.tokenizer_class.starts_with(kT5TokenizerClass)) return nlohmann::ordered_json::object();
  nlohmann::ordered_json config = {{"legacy", settings_.legacy}};
  if (llama) {
    config["add_bos_token"] = settings_.special_template.cls;
    config["add_eos_token"] = settings_.special_template.sep;
    if (!model_.add_dummy_prefix) config["add_prefix_space"] = false;  // transformers asks neither file for this
  }
  return config;
}

std::map<std::string, std::string> SentencePieceTokenizer::files() const {
  const SpecialTokens& names = special_tokens();
  nlohmann::ordered_json specials = {{"pad_token", names.pad}, {"unk_token", names.unk}};
  if (names_begin_and_end(settings_.tokenizer_class)) {
    if (names.cls != names.sep) specials["bos_token"] = names.cls;
    specials["eos_token"] = names.sep;
  } else {
    specials["cls_token"] = names.cls;
    specials["sep_token"] = names.sep;
  }
  if (has_mask()) specials["mask_token"] = names.mask;
  return {{file_.name, file_.content}, {"tokenizer_config.json", config_file(std::move(specials))}};
}

}  // namespace roformer
