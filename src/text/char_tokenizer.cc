#include "text/char_tokenizer.h"

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "text/normalizer.h"

namespace roformer {

CharTokenizer::CharTokenizer(Vocabulary vocabulary, SpecialTokens special_tokens, bool lowercase,
                             std::string_view where)
    : Tokenizer(std::move(vocabulary), std::move(special_tokens), where), lowercase_(lowercase) {
  for (int32_t id = 0; id < vocabulary_size(); ++id) {
    const auto& text = token(id);
    if (text.empty()) continue;
    const CodePoint c = decode_utf8(text.data());
    if (static_cast<size_t>(c.length) == text.size()) code_points_.emplace(c.value, id);
  }
}

nlohmann::ordered_json CharTokenizer::config() const { return {{"do_lower_case", lowercase_}}; }

void CharTokenizer::append(std::string_view text, int64_t first, std::vector<int32_t>& ids, Offsets* offsets) const {
  auto sink = [&](char32_t c, int64_t origin) {
    const auto entry = code_points_.find(c);
    ids.push_back(entry == code_points_.end() ? unk_id() : entry->second);
    if (offsets) offsets->push_back({origin, origin + 1});
  };
  Normalizer<decltype(sink)> normalizer({.lowercase = lowercase_, .strip_accents = false, .separate_cjk = false}, sink);
  normalizer.run(text, first);
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
