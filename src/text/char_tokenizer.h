// Tokenizers without subwords. char: BERT's cleaning, then each code point, spaces included, is a token or [UNK]. byte:
// one token per byte of UTF-8, "<0x00>" to "<0xFF>", so decoding is exact.
#pragma once

#include <unordered_map>

#include "text/normalizer.h"
#include "text/tokenizer.h"
#include "text/tokenizer_config.h"

namespace roformer {

class CharTokenizer : public Tokenizer {
 public:
  CharTokenizer(Vocabulary vocabulary, SpecialTokens special_tokens, bool lowercase, std::string_view where);
  std::string_view type() const override { return "char"; }
  std::string_view tokenizer_class() const override { return kCharTokenizerClass; }
  void append_text(int32_t id, DecodeState&, std::string& bytes) const override { bytes += token(id); }

 protected:
  void append(std::string_view text, int64_t first, std::vector<int32_t>& ids, Offsets* offsets) const override;
  void append_part(std::string_view text, int64_t first, std::vector<int32_t>& ids, Offsets* offsets) const override;
  std::string normalize_token(const std::string& content) const override;
  nlohmann::ordered_json config() const override;

 private:
  Normalization normalization() const {
    return {.lowercase = lowercase_, .strip_accents = false, .separate_cjk = false};
  }
  int32_t id_of(char32_t c) const {
    const auto entry = code_points_.find(c);
    return entry == code_points_.end() ? unk_id() : entry->second;
  }

  bool lowercase_;
  std::unordered_map<char32_t, int32_t> code_points_;
};

class ByteTokenizer : public Tokenizer {
 public:
  // DataError naming the first byte that has no token.
  ByteTokenizer(Vocabulary vocabulary, SpecialTokens special_tokens, std::string_view where);
  std::string_view type() const override { return "byte"; }
  std::string_view tokenizer_class() const override { return kByteTokenizerClass; }
  void append_text(int32_t id, DecodeState& state, std::string& bytes) const override;
  static std::string byte_token(int byte);  // "<0x41>"

 protected:
  // All bytes of a code point have the offsets of that code point.
  void append(std::string_view text, int64_t first, std::vector<int32_t>& ids, Offsets* offsets) const override;
  nlohmann::ordered_json config() const override;

 private:
  std::array<int32_t, 256> byte_ids_{};
  std::unordered_map<int32_t, char> bytes_;
};

}  // namespace roformer
