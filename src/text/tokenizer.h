// Text to token ids and back. A Tokenizer is a vocabulary, five special tokens and a segmentation algorithm. Each kind
// (wordpiece, char, byte, SentencePiece) is one class with one virtual function. The configurable pipelines of Hugging
// Face's tokenizers are one more kind (text/pipeline/tokenizer.h), for files that mean none of the others; a part of a
// pipeline that is not implemented is an error, as ids that silently differ from the model's are a tokenizer's worst
// failure. Files are the ecosystem's: vocab.txt (or tokenizer.model, tokenizer.json) and tokenizer_config.json. Const
// functions are thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "text/added_token_matcher.h"
#include "text/vocabulary.h"

namespace roformer {

// Model input for one or two texts: [CLS] text [SEP], or [CLS] text [SEP] pair [SEP], subject to SpecialTokenTemplate.
struct Encoding {
  std::vector<int32_t> ids;
  std::vector<int32_t> segment_ids;  // of the template: 0 for text and its specials, 1 for pair and its [SEP]
  std::vector<std::array<int64_t, 2>> offsets;  // [begin, end) in code points of the text it came from; specials [0, 0)
  int64_t cut = 0;                              // tokens lost to max_length
  std::array<size_t, 2> pair{};                 // [begin, end) of the tokens of the second text; its segment may be 0
};

enum class SpecialToken { pad, unk, cls, sep, mask };

struct SpecialTokens {
  std::string pad = "[PAD]", unk = "[UNK]", cls = "[CLS]", sep = "[SEP]", mask = "[MASK]";
  std::array<std::string, 5> all() const { return {pad, unk, cls, sep, mask}; }
};

// Special tokens around texts. BERT: both. Llama: <s> before each text, no </s>. T5: only </s>.
struct SpecialTokenTemplate {
  bool cls = true, sep = true;
  bool repeat_cls = false;  // before the second text, too
};

// What an input is put together from: in order, each text once, and special tokens.
struct TemplatePart {
  enum class Kind : uint8_t { text, pair, special };
  Kind kind = Kind::text;
  int32_t id = -1;  // of a special token
  int32_t segment = 0;
  bool operator==(const TemplatePart&) const = default;
};
using EncodingTemplate = std::vector<TemplatePart>;

// State of incremental decoding.
struct DecodeState {
  bool at_start = true;  // no text has been emitted yet
  char32_t last = 0;     // last code point, for tokenizers that insert spaces; 0 if none
};

class Tokenizer {
 public:
  virtual ~Tokenizer() = default;
  Tokenizer(const Tokenizer&) = delete;
  Tokenizer& operator=(const Tokenizer&) = delete;

  // Truncation: with max_length > 0 to at most that many ids, specials included. The longer text is truncated at its
  // end (or its start: set_truncates_left) until both have the same length; an odd id goes to the longer, or to `pair`
  // (Hugging Face's longest_first). DataError (byte offset) if a text is not UTF-8; UsageError if max_length cannot
  // hold the specials. Special tokens written in a text are matched as such.
  Encoding encode(std::string_view text, std::optional<std::string_view> pair = std::nullopt,
                  int64_t max_length = 0) const;

  // The ids of `text` alone, without [CLS] and [SEP]: the fast path for corpora.
  std::vector<int32_t> encode_plain(std::string_view text) const;
  // The same with the special tokens around one text.
  std::vector<int32_t> with_specials(std::vector<int32_t> ids) const;

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
  const SpecialTokens& special_tokens() const { return special_tokens_; }  // "" where there is none
  // A tokenizer may lack some of these; asking for the id of one it lacks is a DataError naming it.
  bool has(SpecialToken token) const { return special_ids_[static_cast<size_t>(token)] >= 0; }
  bool has_mask() const { return has(SpecialToken::mask); }
  int32_t pad_id() const { return special_id(SpecialToken::pad); }
  int32_t unk_id() const { return special_id(SpecialToken::unk); }
  int32_t cls_id() const { return special_id(SpecialToken::cls); }
  int32_t sep_id() const { return special_id(SpecialToken::sep); }
  int32_t mask_id() const { return special_id(SpecialToken::mask); }
  bool is_special(int32_t id) const;
  // Whether a decoded text has no white space at its ends, whatever append_text gives.
  virtual bool strips_decoded() const { return false; }
  // Whether the token continues the previous token's word ("##ing").
  virtual bool is_continuation(int32_t) const { return false; }
  // "wordpiece", "jieba-wordpiece", "char", "byte", "bpe", "unigram", "wordlevel"
  virtual std::string_view type() const = 0;
  virtual std::string_view tokenizer_class() const = 0;  // as in tokenizer_config.json

  // The files of this tokenizer, name to content, for the caller to write. DataError for a token that vocab.txt cannot
  // represent.
  virtual std::map<std::string, std::string> files() const;
  // Tokens to match in the text besides the special ones, which match as plain text unless they are among them; all
  // must be in the vocabulary. Call once, before encoding.
  void add_tokens(std::vector<AddedToken> tokens);
  const std::vector<AddedToken>& added_tokens() const { return added_tokens_; }
  // The model's maximum sequence length, written to tokenizer_config.json if positive.
  void set_model_max_length(int64_t length) { model_max_length_ = length; }
  int64_t model_max_length() const { return model_max_length_; }
  // Whether truncation drops the start of a text, which is "truncation_side" in tokenizer_config.json.
  void set_truncates_left(bool left) { truncates_left_ = left; }

 protected:
  // DataError naming every special token that `vocabulary` lacks; `where` names the vocabulary. An empty name says that
  // the tokenizer has no such token, which only those in `optional` may.
  Tokenizer(Vocabulary vocabulary, SpecialTokens special_tokens, std::string_view where,
            std::initializer_list<SpecialToken> optional = {});

  using Offsets = std::vector<std::array<int64_t, 2>>;
  // Appends the tokens of `text`, which is valid UTF-8 without tokens to match and starts at code point `first` of the
  // input (0 only at its very start); `offsets` may be null.
  virtual void append(std::string_view text, int64_t first, std::vector<int32_t>& ids, Offsets* offsets) const = 0;
  // The same for a text that may hold tokens matched after normalization, normalized_tokens(). Of a tokenizer that does
  // not normalize they are matched in the text.
  virtual void append_part(std::string_view text, int64_t first, std::vector<int32_t>& ids, Offsets* offsets) const;
  // Changes the offsets of the tokens of a whole text, once all are there.
  virtual void adjust_offsets(std::string_view, std::span<const int32_t>, Offsets&) const {}
  // The text that a token matched after normalization has then.
  virtual std::string normalize_token(const std::string& content) const { return content; }
  const AddedTokenMatcher& normalized_tokens() const { return normalized_tokens_; }
  // The keys of tokenizer_config.json specific to this kind.
  virtual nlohmann::ordered_json config() const = 0;
  // The content of tokenizer_config.json; `specials` are its keys for the special tokens.
  std::string config_file(const nlohmann::ordered_json& specials) const;
  void set_special_template(const SpecialTokenTemplate& around);
  void set_templates(EncodingTemplate single, EncodingTemplate pair);
  // The mask token absorbs the white space before it (lstrip).
  void set_mask_takes_space();
  void mark_special(std::vector<int32_t> ids);  // skipped when decoding, but not matched in the text
  const Vocabulary& vocabulary() const { return vocabulary_; }

 private:
  int32_t special_id(SpecialToken token) const {
    const int32_t id = special_ids_[static_cast<size_t>(token)];
    if (id < 0) refuse_absent(token);
    return id;
  }
  [[noreturn]] void refuse_absent(SpecialToken token) const;
  AddedToken plain_special(SpecialToken token) const;
  void match_tokens();
  void append_input(std::string_view text, std::vector<int32_t>& ids, Offsets* offsets) const;

  Vocabulary vocabulary_;
  SpecialTokens special_tokens_;
  std::array<int32_t, 5> special_ids_{};
  EncodingTemplate single_template_, pair_template_;
  bool mask_takes_space_ = false;
  std::vector<AddedToken> added_tokens_;
  std::vector<int32_t> added_special_ids_;  // sorted
  AddedTokenMatcher raw_tokens_, normalized_tokens_;
  int64_t model_max_length_ = 0;
  bool truncates_left_ = false;
};

// Which of RoFormer's three Chinese tokenizers (jieba_tokenizer.h).
enum class JiebaMode { fast, slow, bert4keras };

struct LoadOptions {
  std::optional<JiebaMode> mode;  // unset: "tokenizer_mode" of tokenizer_config.json, else fast
  std::string jieba_dictionary;   // a dict.txt of jieba's; empty: see below
};

// Reads a tokenizer from a model or tokenizer directory: vocab.txt (or the WordPiece model of a tokenizer.json), or
// tokenizer.model (or the BPE or Unigram model of a tokenizer.json; text/sentencepiece/tokenizer.h), or vocab.json and
// merges.txt of byte-level BPE (text/pipeline/load_merges.h), and, where present, tokenizer_config.json. Of a
// translator's directory (text/translation_tokenizers.h) the result is the source's tokenizer. A directory with a
// SentencePiece model and no vocab.txt is SentencePiece's. Otherwise the kind is the "tokenizer_class" of
// tokenizer_config.json, else of config.json: RoFormerTokenizer means jieba, BertTokenizer and its like
// (text/tokenizer_config.h) plain WordPiece, lower-casing unless it says otherwise. If neither is set, it is jieba's if
// config.json's model_type is "roformer" and the vocabulary has a word of two or more ideographs (else jieba would have
// no effect), or if `options.mode` is set and the model_type is "roformer" or none; else BERT's. jieba's dictionary is
// options.jieba_dictionary, else $ROFORMER_JIEBA_DICTIONARY, else jieba_dict.txt in the directory, else the one of
// Debian's python3-jieba. FileError for missing files, DataError for malformed or unsupported ones; InapplicableError
// for jieba options with another tokenizer.
std::unique_ptr<Tokenizer> load_tokenizer(const std::string& directory, const LoadOptions& options = {});

}  // namespace roformer
