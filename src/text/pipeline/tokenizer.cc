#include "text/pipeline/tokenizer.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "text/sentencepiece/model.h"

namespace roformer {

PipelineTokenizer::PipelineTokenizer(Vocabulary vocabulary, PipelineParts parts, std::string_view where)
    : Tokenizer(std::move(vocabulary), parts.specials, where,
                {SpecialToken::pad, SpecialToken::unk, SpecialToken::cls, SpecialToken::sep, SpecialToken::mask}),
      parts_(std::move(parts)) {
  set_templates(parts_.templates.single, parts_.templates.pair);
  marks_spaces_ = std::ranges::any_of(this->vocabulary().model_tokens(), [](const std::string& token) {
    return token.size() > kSentencePieceSpace.size() && token.starts_with(kSentencePieceSpace);
  });
}

bool PipelineTokenizer::is_continuation(int32_t id) const {
  if (is_special(id) || id >= std::ssize(vocabulary().model_tokens())) return false;
  const std::string& piece = token(id);
  return marks_spaces_ ? !piece.starts_with(kSentencePieceSpace) : parts_.model->is_continuation(piece);
}

void PipelineTokenizer::append_text(int32_t id, DecodeState& state, std::string& bytes) const {
  const auto normalized = parts_.normalized.find(id);
  parts_.decoder.append(normalized == parts_.normalized.end() ? token(id) : normalized->second, state, bytes);
}

void PipelineTokenizer::append(std::string_view text, int64_t first, std::vector<int32_t>& ids,
                               Offsets* offsets) const {
  SplitText split;
  split.aligned = AlignedText(text, first);
  parts_.normalizer.apply(split.aligned);
  normalized_tokens().split(
      split.aligned.text,
      [&](size_t begin, size_t end) {
        split.words.push_back({begin, end});
      },
      [&](const AddedTokenMatcher::Match& match) {
        split.words.push_back({match.begin, match.end, match.token->id});
      });
  parts_.pre_tokenizer.apply(split);

  const AlignedText& aligned = split.aligned;
  const auto push = [&](int32_t id, size_t begin, size_t end) {
    ids.push_back(id);
    if (offsets) offsets->push_back({aligned.origins[begin].begin, aligned.origins[end - 1].end});
  };
  std::vector<PipelineModel::Piece> pieces;
  for (const SplitText::Word& word : split.words) {
    if (word.added >= 0) {
      push(word.added, word.begin, word.end);
      continue;
    }
    pieces.clear();
    parts_.model->cut(std::string_view(aligned.text).substr(word.begin, word.end - word.begin), pieces);
    for (const auto& [id, begin, end] : pieces) push(id, word.begin + begin, word.begin + end);
  }
}

nlohmann::ordered_json PipelineTokenizer::config() const { return nlohmann::ordered_json::object(); }

std::map<std::string, std::string> PipelineTokenizer::files() const {
  const SpecialTokens& names = special_tokens();
  Json keys = parts_.config.value();
  for (const char* key : {"tokenizer_class", "model_max_length", "added_tokens_decoder"}) keys.erase(key);
  const auto add = [&](const char* key, const std::string& name) {
    if (!name.empty() && !parts_.config.has(key)) keys[key] = name;
  };
  add("pad_token", names.pad);
  add("unk_token", names.unk);
  add("cls_token", names.cls);
  add("sep_token", names.sep);
  add("mask_token", names.mask);
  return {{"tokenizer.json", parts_.file}, {"tokenizer_config.json", config_file(nlohmann::ordered_json(keys))}};
}

}  // namespace roformer
