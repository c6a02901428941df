// The content of a tokenizer.model: SentencePiece's ModelProto (see its sentencepiece_model.proto), validated.
// Untrusted models are not run by libsentencepiece, which does not bounds-check the normalization table and aborts on
// some invalid values. It is used to learn models (sentencepiece_training.h), and tests compare ids with it.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace roformer {

inline constexpr int64_t kMaxSentencePieceBytes = int64_t{1} << 28;      // of a model file
inline constexpr std::string_view kSentencePieceSpace = "\xE2\x96\x81";  // U+2581, the escaped space

struct SentencePieceModel {
  enum class Kind { unigram = 1, bpe = 2 };
  enum class Type : uint8_t { normal = 1, unknown = 2, control = 3, user_defined = 4, unused = 5, byte = 6 };

  Kind kind = Kind::unigram;
  std::vector<std::string> pieces;  // UTF-8, non-empty, unique
  std::vector<float> scores;        // finite
  std::vector<Type> types;
  bool byte_fallback = false;           // characters without a piece become their UTF-8 bytes
  std::array<int32_t, 256> byte_ids{};  // if byte_fallback
  int32_t unknown = 0;
  // Ids of the special tokens; -1 if the model has none.
  int32_t begin = -1, end = -1, pad = -1;

  // Normalization: rules (sentencepiece_normalizer.h; empty: none), then white space.
  std::string rules;
  bool add_dummy_prefix = true, remove_extra_whitespaces = true, escape_whitespaces = true;

  // Unigram: compare sums of scores rounded to float32, as the sentencepiece package 0.2.3 does, and not before, as the
  // library 0.1.97; of two segmentations with the same rounded sum they may prefer different ones. Not in the file.
  bool rounds_before_comparing = false;

  // Set only by a tokenizer.json (text/sentencepiece/json.h).
  std::vector<std::array<int32_t, 2>> merges;  // BPE, by priority; empty: by the score of the merged piece
  bool words_alone = false;                    // split before each U+2581 first
  bool double_sums = false;                    // of scores; else float32
  bool prefix_before_space = true;             // add the dummy prefix even if a text starts with a space

  Type type(int32_t id) const { return types[static_cast<size_t>(id)]; }
};

// DataError naming `where` and the byte or piece if malformed or unsupported: word and char models, white space as
// suffix, a denormalizer.
SentencePieceModel parse_sentencepiece_model(std::string_view bytes, std::string_view where);

// Sets unknown, byte_ids and the ids of the tokens with these names, if they exist. DataError for duplicate pieces, not
// exactly one of type unknown, or missing byte pieces.
struct SentencePieceNames {
  std::string begin = "<s>", end = "</s>", pad = "<pad>";
};
void finish_sentencepiece_model(SentencePieceModel& model, const SentencePieceNames& names, std::string_view where);

// Serializes pieces, types, scores, kind, byte_fallback and normalization.
std::string write_sentencepiece_model(const SentencePieceModel& model);

// Appends a piece with its escaped spaces as spaces.
void append_unescaped(std::string_view piece, std::string& text);

// The byte value of a piece such as "<0x41>"; -1 for others.
int byte_of_piece(std::string_view piece);

}  // namespace roformer
