// Text to token ids and back. A Tokenizer is a vocabulary, five special tokens and a segmentation algorithm. Each kind
// (wordpiece, char, byte, SentencePiece) is one class with one virtual function. Configurable pipelines as in Hugging
// Face's tokenizers were rejected: most combinations are never used, and ids that silently differ from the model's are
// a tokenizer's worst failure. Files are the ecosystem's: vocab.txt (or tokenizer.model) and tokenizer_config.json.
// Const functions are thread-safe.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "text/vocabulary.h"

namespace roformer {

// Model input for one or two texts: [CLS] text [SEP], or [CLS] text [SEP] pair [SEP], subject to SpecialTokenTemplate.
struct Encoding {
  std::vector<int32_t> ids;
  std::vector<int32_t> segment_ids;             // 0 for text and its specials, 1 for pair and its [SEP]
  std::vector<std::array<int64_t, 2>> offsets;  // [begin, end) in code points of the text it came from; specials [0, 0)
  int64_t cut = 0;                              // tokens lost to max_length
};

struct SpecialTokens {
  std::string pad = "[PAD]", unk = "[UNK]", cls = "[CLS]", sep = "[SEP]", mask = "[MASK]";
  std::array<std::string, 5> all() const { return {pad, unk, cls, sep, mask}; }
};

// Special tokens around texts. BERT: both. Llama: <s> before each text, no </s>. T5: only </s>.
struct SpecialTokenTemplate {
  bool cls = true, sep = true;
  bool repeat_cls = false;  // before the second text, too
  int64_t size(bool pair) const { return cls + sep + (pair ? sep + repeat_cls : 0); }
};

// State of incremental decoding.
struct DecodeState {
  bool at_start = true;  // no text has been emitted yet
  char32_t last = 0;     // last code point, for tokenizers that insert spaces; 0 if none
};

// A token matched in the text before segmentation.
struct AddedToken {
  std::string content;
  int32_t id = 0;
  bool special = false;     // skipped when decoding
  bool normalized = false;  // matched, normalized itself, in normalized text; else in raw text
};

class Tokenizer {
 public:
  virtual ~Tokenizer() = default;
  Tokenizer(const Tokenizer&) = delete;
  Tokenizer& operator=(const Tokenizer&) = delete;

  // Truncation: with max_length > 0 to at most that many ids, specials included. The longer text is truncated at its
  // end until both have the same length; an odd id goes to the longer, or to `pair` (Hugging Face's longest_first).
  // DataError (byte offset) if a text is not UTF-8; UsageError if max_length cannot hold the specials. Special tokens
  // written in a text are matched as such.
  Encoding encode(std::string_view text, std::optional<std::string_view> pair = std::nullopt,
                  int64_t max_length = 0) const;

  // The ids of `text` alone, without [CLS] and [SEP]: the fast path for corpora.
  std::vector<int32_t> encode_plain(std::string_view text) const;

  // Special tokens are skipped unless `keep_special`. Exact for byte, for SentencePiece without normalization, and for
  // char up to cleaning; wordpiece joins "##" pieces and inserts spaces by the conventions of English and CJK. Each
  // byte of invalid UTF-8 (a generated text may end within a character) becomes U+FFFD. Incremental:
  // text/stream_decoder.h.
  std::string decode(std::span<const int32_t> ids, bool keep_special = false) const;
  // Appends the bytes that one token adds to the text; they may end within a character.
  virtual void append_text(int32_t id, DecodeState& state, std::string& bytes) const = 0;

  const std::string& token(int32_t id) const { return vocabulary_.token(id); }
  std::optional<int32_t> id(std::string_view token) const { return vocabulary_.id(token); }
  int32_t vocabulary_size() const { return vocabulary_.size(); }
  int32_t pad_id() const { return special_ids_[0]; }
  int32_t unk_id() const { return special_ids_[1]; }
  int32_t cls_id() const { return special_ids_[2]; }
  int32_t sep_id() const { return special_ids_[3]; }
  bool has_mask() const { return special_ids_[4] >= 0; }
  int32_t mask_id() const;  // DataError where has_mask() is false: only SentencePiece models lack one
  const SpecialTokenTemplate& special_template() const { return special_template_; }
  bool is_special(int32_t id) const;
  // Whether the token continues the previous token's word ("##ing").
  virtual bool is_continuation(int32_t) const { return false; }
  // "wordpiece", "jieba-wordpiece", "char", "byte", "bpe", "unigram"
  virtual std::string_view type() const = 0;
  virtual std::string_view tokenizer_class() const = 0;  // as in tokenizer_config.json

  // The files of this tokenizer, name to content, for the caller to write. DataError for a token that vocab.txt cannot
  // represent.
  virtual std::map<std::string, std::string> files() const;
  // Tokens to match in the text besides the five special ones, longest match first; all must be in the vocabulary. Call
  // once, before encoding.
  virtual void add_tokens(std::vector<AddedToken> tokens);
  const std::vector<AddedToken>& added_tokens() const { return added_tokens_; }
  // The model's maximum sequence length, written to tokenizer_config.json if positive.
  void set_model_max_length(int64_t length) { model_max_length_ = length; }
  int64_t model_max_length() const { return model_max_length_; }

 protected:
  // DataError naming every special token that `vocabulary` lacks; `where` names the vocabulary. With
  // `mask_may_be_absent`, an empty name means no mask token.
  Tokenizer(Vocabulary vocabulary, SpecialTokens special_tokens, std::string_view where,
            bool mask_may_be_absent = false);

  using Offsets = std::vector<std::array<int64_t, 2>>;
  // Appends the tokens of `text`, which is valid UTF-8 without special tokens and starts at code point `first` of the
  // input (0 only at its very start); `offsets` may be null.
  virtual void append(std::string_view text, int64_t first, std::vector<int32_t>& ids, Offsets* offsets) const = 0;
  // The keys of tokenizer_config.json specific to this kind.
  virtual nlohmann::ordered_json config() const = 0;
  // The content of tokenizer_config.json; `specials` are its keys for the special tokens.
  std::string config_file(const nlohmann::ordered_json& specials) const;
  void set_special_template(const SpecialTokenTemplate& special_template) { special_template_ = special_template; }
  // The mask token absorbs the white space before it (lstrip).
  void set_mask_takes_space() { mask_takes_space_ = true; }
  void mark_special(std::vector<int32_t> ids);  // skipped when decoding, but not matched in the text
  const Vocabulary& vocabulary() const { return vocabulary_; }
  const SpecialTokens& special_tokens() const { return special_tokens_; }

 private:
  void find_token(const std::string& text, int32_t id);
  void append_with_specials(std::string_view text, std::vector<int32_t>& ids, Offsets* offsets) const;
  struct Found {
    std::string text;
    int32_t id;
  };
  // The next position from `begin` where a token may start; text.size() if there is none.
  size_t next_start(std::string_view text, size_t begin) const {
    return std::min(text.size(), first_bytes_.size() == 1 ? text.find(first_bytes_[0], begin)
                                                          : text.find_first_of(first_bytes_, begin));
  }
  // The longest token that `text` starts with; null if none.
  const Found* found_at(std::string_view text) const;

  Vocabulary vocabulary_;
  SpecialTokens special_tokens_;
  std::array<int32_t, 5> special_ids_{};
  SpecialTokenTemplate special_template_;
  bool mask_takes_space_ = false;
  std::vector<AddedToken> added_tokens_;
  std::vector<int32_t> added_special_ids_;             // sorted
  std::string first_bytes_;                            // first bytes of all tokens to match
  std::array<std::vector<Found>, 256> found_by_byte_;  // by first byte, longest first
  int64_t model_max_length_ = 0;
};

// Which of RoFormer's three Chinese tokenizers (jieba_tokenizer.h).
enum class JiebaMode { fast, slow, bert4keras };

struct LoadOptions {
  std::optional<JiebaMode> mode;  // unset: "tokenizer_mode" of tokenizer_config.json, else fast
  std::string jieba_dictionary;   // a dict.txt of jieba's; empty: see below
};

// Reads a tokenizer from a model or tokenizer directory: vocab.txt (or the WordPiece model of a tokenizer.json), or
// tokenizer.model (or the BPE or Unigram model of a tokenizer.json; text/sentencepiece/tokenizer.h), and, where
// present, tokenizer_config.json. A directory with a SentencePiece model and no vocab.txt is SentencePiece's. Otherwise
// the kind is the "tokenizer_class" of tokenizer_config.json, else of config.json: RoFormerTokenizer means jieba,
// BertTokenizer plain WordPiece, lower-casing unless it says otherwise. If neither is set, it is jieba's if
// `options.mode` is set, or if config.json's model_type is "roformer" and the vocabulary has a word of two or more
// ideographs (else jieba would have no effect), else BERT's. jieba's dictionary is options.jieba_dictionary, else
// $ROFORMER_JIEBA_DICTIONARY, else jieba_dict.txt in the directory, else the one of Debian's python3-jieba. FileError
// for missing files, DataError for malformed or unsupported ones; UsageError for jieba options with another tokenizer.
std::unique_ptr<Tokenizer> load_tokenizer(const std::string& directory, const LoadOptions& options = {});

}  // namespace roformer
