// What is in a tokenizer.model: SentencePiece's ModelProto (its sentencepiece_model.proto names the fields), checked.
// The models that others wrote are read and run here, not by libsentencepiece: that one follows the offsets of a
// model's normalization table without looking where they lead, and ends the process at some wrong values. It is used
// to learn models (sentencepiece_training.h), and the tests hold every id against it.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace roformer {

inline constexpr int64_t kMaxSentencePieceBytes = int64_t{1} << 28;      // of a model file
inline constexpr std::string_view kSentencePieceSpace = "\xE2\x96\x81";  // U+2581, which stands for a space

struct SentencePieceModel {
  enum class Kind { unigram = 1, bpe = 2 };
  enum class Type : uint8_t { normal = 1, unknown = 2, control = 3, user_defined = 4, unused = 5, byte = 6 };

  Kind kind = Kind::unigram;
  std::vector<std::string> pieces;  // UTF-8, none empty, none twice
  std::vector<float> scores;        // finite
  std::vector<Type> types;
  bool byte_fallback = false;           // what has no piece becomes the bytes of its UTF-8
  std::array<int32_t, 256> byte_ids{};  // where byte_fallback
  int32_t unknown = 0;
  // The ids of these tokens, by the names that the model gives them; -1 where it has none.
  int32_t begin = -1, end = -1, pad = -1;

  // Normalization: rules (sentencepiece_normalizer.h; empty: none), then white space.
  std::string rules;
  bool add_dummy_prefix = true, remove_extra_whitespaces = true, escape_whitespaces = true;

  // What a tokenizer.json may say otherwise (text/sentencepiece/json.h); a tokenizer.model says nothing of it.
  std::vector<std::array<int32_t, 2>> merges;  // of BPE, the first come first; empty: what makes a piece, by its score
  bool words_alone = false;                    // each U+2581 begins a part that is cut by itself
  bool double_sums = false;                    // of scores, where others are float32
  bool prefix_before_space = true;             // the dummy prefix, where a text starts with a space all the same

  Type type(int32_t id) const { return types[static_cast<size_t>(id)]; }
};

// DataError, naming `where` and the byte or the piece, for what is no such model or one that this program does not run:
// words or characters as pieces, white space at the end of words, a denormalizer.
SentencePieceModel parse_sentencepiece_model(std::string_view bytes, std::string_view where);

// Sets unknown, byte_ids and the ids of tokens by these names, where there are such pieces. DataError for pieces that
// are there twice, not one of type unknown, or bytes that are missing.
struct SentencePieceNames {
  std::string begin = "<s>", end = "</s>", pad = "<pad>";
};
void finish_sentencepiece_model(SentencePieceModel& model, const SentencePieceNames& names, std::string_view where);

// The bytes of a model, of pieces, types, scores, kind, byte_fallback and normalization.
std::string write_sentencepiece_model(const SentencePieceModel& model);

// The byte that "<0x41>" names; -1 where it names none.
int byte_of_piece(std::string_view piece);

}  // namespace roformer
