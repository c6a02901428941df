#include "text/char_tokenizer.h"

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "text/normalized_text.h"

namespace roformer {

CharTokenizer::CharTokenizer(Vocabulary vocabulary, SpecialTokens special_tokens, bool lowercase,
                             std::string_view where)
    : Tokenizer(std::move(vocabulary), std::move(special_tokens), where), lowercase_(lowercase) {
  const auto tokens = this->vocabulary().model_tokens();
  for (int32_t id = 0; id < std::ssize(tokens); ++id) {
    const std::string& text = tokens[static_cast<size_t>(id)];
    if (text.empty() || !this->vocabulary().holds(id)) continue;
    const CodePoint c = decode_utf8(text.data());
    if (static_cast<size_t>(c.length) == text.size()) code_points_.emplace(c.value, id);
  }
}

nlohmann::ordered_json CharTokenizer::config() const { return {{"do_lower_case", lowercase_}}; }

void CharTokenizer::append(std::string_view text, int64_t first, std::vector<int32_t>& ids, Offsets* offsets) const {
  auto sink = [&](char32_t c, int64_t origin) {
    ids.push_back(id_of(c));
    if (offsets) offsets->push_back({origin, origin + 1});
  };
  Normalizer<decltype(sink)>(normalization(), sink).run(text, first);
}

void CharTokenizer::append_part(std::string_view text, int64_t first, std::vector<int32_t>& ids,
                                Offsets* offsets) const {
  if (normalized_tokens().empty()) return append(text, first, ids, offsets);
  const NormalizedLetters normal(text, first, normalization());
  append_normalized(normalized_tokens(), normal.code_points, normal.origins, ids, offsets,
                    [&](size_t begin, size_t end) {
                      for (size_t i = begin; i < end; ++i) {
                        ids.push_back(id_of(normal.code_points[i]));
                        if (offsets) offsets->push_back({normal.origins[i], normal.origins[i] + 1});
                      }
                    });
}

std::string CharTokenizer::normalize_token(const std::string& content) const {
  return normalized_text(content, normalization());
}

ByteTokenizer::ByteTokenizer(Vocabulary vocabulary, SpecialTokens special_tokens, std::string_view where)
    : Tokenizer(std::move(vocabulary), std::move(special_tokens), where) {
  for (int byte = 0; byte < 256; ++byte) {
    const auto id = this->id(byte_token(byte));
    if (!id) throw DataError("{}: byte token {} missing from the vocabulary", FilePath(where), byte_token(byte));
    byte_ids_[static_cast<size_t>(byte)] = *id;
    bytes_.emplace(*id, static_cast<char>(byte));
  }
}

nlohmann::ordered_json ByteTokenizer::config() const { return nlohmann::ordered_json::object(); }

std::string ByteTokenizer::byte_token(int byte) { return fmt::format("<0x{:02X}>", byte); }

void ByteTokenizer::append(std::string_view text, int64_t first, std::vector<int32_t>& ids, Offsets* offsets) const {
  int64_t code_point = first - 1;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    ids.push_back(byte_ids_[byte]);
    if ((byte & 0xC0) != 0x80) ++code_point;
    if (offsets) offsets->push_back({code_point, code_point + 1});
  }
}

void ByteTokenizer::append_text(int32_t id, DecodeState&, std::string& bytes) const {
  const auto entry = bytes_.find(id);
  if (entry == bytes_.end()) {
    bytes += token(id);
  } else {
    bytes += entry->second;
  }
}

}  // namespace roformer
