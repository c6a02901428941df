#include "text/sentencepiece/model.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>
#include <unordered_map>

#include "base/error.h"
#include "base/json.h"
#include "base/protobuf.h"
#include "base/utf8.h"
#include "text/char_tokenizer.h"
#include "text/vocabulary.h"

namespace roformer {

namespace {

using Wire = ProtoField::Wire;
using Type = SentencePieceModel::Type;

// Field numbers of sentencepiece_model.proto.
enum ModelField : uint32_t { kPieces = 1, kTrainer = 2, kNormalizer = 3, kDenormalizer = 5 };
enum PieceField : uint32_t { kPiece = 1, kScore = 2, kType = 3 };
enum TrainerField : uint32_t {
  kModelType = 3,
  kVocabularySize = 4,
  kSpaceAsSuffix = 24,
  kByteFallback = 35,
  kUnknownId = 40,
  kBeginId = 41,
  kEndId = 42,
  kPadId = 43,
  kUnknownPiece = 45,
  kBeginPiece = 46,
  kEndPiece = 47,
  kPadPiece = 48
};
enum NormalizerField : uint32_t { kName = 1, kRules = 2, kDummyPrefix = 3, kRemoveSpaces = 4, kEscapeSpaces = 5 };

template <class... Values>
[[noreturn]] void fail(std::string_view where, fmt::format_string<Values...> text, Values&&... values) {
  throw DataError("{}: {}", FilePath(where), fmt::format(text, std::forward<Values>(values)...));
}

class Parser {
 public:
  explicit Parser(std::string_view where) : where_(where) {}

  SentencePieceModel parse(std::string_view bytes) {
    ProtoReader reader(bytes, where_);
    for (ProtoField field; reader.next(field);) {
      if (field.wire != Wire::bytes) continue;
      if (field.number == kPieces) read_piece(field);
      if (field.number == kTrainer) read_trainer(field);
      if (field.number == kNormalizer) read_normalizer(field);
      if (field.number == kDenormalizer) refuse_denormalizer(field);
    }
    finish_sentencepiece_model(model_, names_, where_);
    return std::move(model_);
  }

 private:
  template <class... Values>
  [[noreturn]] void fail(fmt::format_string<Values...> text, Values&&... values) const {
    roformer::fail(where_, text, std::forward<Values>(values)...);
  }

  void read_piece(const ProtoField& message) {
    const size_t id = model_.pieces.size();
    if (id == kMaxTokens) fail("more than {} pieces", kMaxTokens);
    std::string piece;
    float score = 0;
    auto type = Type::normal;
    ProtoReader reader(message.bytes, where_, message.offset);
    for (ProtoField field; reader.next(field);) {
      if (field.number == kPiece && field.wire == Wire::bytes) piece = field.bytes;
      if (field.number == kScore && field.wire == Wire::fixed32) score = field.number32();
      if (field.number == kType && field.wire == Wire::varint) {
        if (field.value < 1 || field.value > 6) {
          fail("byte {}: piece {} is of type {}, expected 1 to 6", field.offset, id, field.value);
        }
        type = static_cast<Type>(field.value);
      }
    }
    if (piece.empty()) fail("byte {}: piece {} is empty", message.offset, id);
    if (find_invalid_utf8(piece) != kValidUtf8) fail("byte {}: piece {} is not UTF-8", message.offset, id);
    if (!std::isfinite(score)) fail("byte {}: the score of piece {} is not finite", message.offset, id);
    model_.pieces.push_back(std::move(piece));
    model_.scores.push_back(score);
    model_.types.push_back(type);
  }

  void read_trainer(const ProtoField& message) {
    ProtoReader reader(message.bytes, where_, message.offset);
    for (ProtoField field; reader.next(field);) {
      if (field.wire == Wire::bytes) {
        if (field.number == kBeginPiece) names_.begin = field.bytes;
        if (field.number == kEndPiece) names_.end = field.bytes;
        if (field.number == kPadPiece) names_.pad = field.bytes;
      } else if (field.wire == Wire::varint) {
        if (field.number == kModelType) read_kind(field);
        if (field.number == kByteFallback) model_.byte_fallback = field.boolean();
        if (field.number == kSpaceAsSuffix && field.boolean()) {
          fail("white space at the end of words (treat_whitespace_as_suffix) is not supported");
        }
      }
    }
  }

  void read_kind(const ProtoField& field) {
    if (field.value != 1 && field.value != 2) {
      fail("byte {}: a model of type {}, expected 1 (unigram) or 2 (BPE)", field.offset, field.value);
    }
    model_.kind = static_cast<SentencePieceModel::Kind>(field.value);
  }

  void read_normalizer(const ProtoField& message) {
    ProtoReader reader(message.bytes, where_, message.offset);
    for (ProtoField field; reader.next(field);) {
      if (field.number == kRules && field.wire == Wire::bytes) model_.rules = field.bytes;
      if (field.wire != Wire::varint) continue;
      if (field.number == kDummyPrefix) model_.add_dummy_prefix = field.boolean();
      if (field.number == kRemoveSpaces) model_.remove_extra_whitespaces = field.boolean();
      if (field.number == kEscapeSpaces) model_.escape_whitespaces = field.boolean();
    }
  }

  void refuse_denormalizer(const ProtoField& message) {
    ProtoReader reader(message.bytes, where_, message.offset);
    for (ProtoField field; reader.next(field);) {
      if (field.number == kRules && !field.bytes.empty()) fail("a denormalizer is not supported");
    }
  }

  std::string_view where_;
  SentencePieceModel model_;
  SentencePieceNames names_;
};

uint64_t signed_value(int64_t value) { return static_cast<uint64_t>(value); }

}  // namespace

void append_unescaped(std::string_view piece, std::string& text) {
  for (size_t space; (space = piece.find(kSentencePieceSpace)) != piece.npos;) {
    text.append(piece.substr(0, space)).push_back(' ');
    piece.remove_prefix(space + kSentencePieceSpace.size());
  }
  text += piece;
}

int byte_of_piece(std::string_view piece) {
  if (piece.size() != 6 || !piece.starts_with("<0x") || piece[5] != '>') return -1;
  int byte = -1;
  const auto [end, error] = std::from_chars(piece.data() + 3, piece.data() + 5, byte, 16);
  if (error != std::errc() || end != piece.data() + 5 || ByteTokenizer::byte_token(byte) != piece) return -1;
  return byte;
}

void finish_sentencepiece_model(SentencePieceModel& model, const SentencePieceNames& names, std::string_view where) {
  if (model.pieces.empty()) fail(where, "no pieces: not a SentencePiece model");
  std::unordered_map<std::string_view, int32_t> ids;
  int unknowns = 0;
  std::array<bool, 256> bytes{};
  for (int32_t id = 0; id < static_cast<int32_t>(model.pieces.size()); ++id) {
    const auto& piece = model.pieces[static_cast<size_t>(id)];
    const auto [other, is_new] = ids.emplace(piece, id);
    if (!is_new) fail(where, "pieces {} and {} are both {}", other->second, id, quote(piece));
    if (model.type(id) == Type::unknown) {
      model.unknown = id;
      ++unknowns;
    }
    if (model.type(id) == Type::byte) {
      const int byte = byte_of_piece(piece);
      if (byte < 0) fail(where, "piece {} is of type byte, but is {}, expected <0x00> to <0xFF>", id, quote(piece));
      model.byte_ids[static_cast<size_t>(byte)] = id;
      bytes[static_cast<size_t>(byte)] = true;
    }
  }
  if (unknowns != 1) fail(where, "{} pieces of type unknown, expected 1", unknowns);
  if (model.byte_fallback && std::ranges::count(bytes, true) != 256) {
    fail(where, "byte_fallback, but byte pieces for {} of 256 bytes only", std::ranges::count(bytes, true));
  }
  const auto find = [&](const std::string& name) {
    const auto entry = ids.find(name);
    return entry == ids.end() ? -1 : entry->second;
  };
  model.begin = find(names.begin);
  model.end = find(names.end);
  model.pad = find(names.pad);
}

SentencePieceModel parse_sentencepiece_model(std::string_view bytes, std::string_view where) {
  return Parser(where).parse(bytes);
}

std::string write_sentencepiece_model(const SentencePieceModel& model) {
  ProtoWriter all;
  for (size_t id = 0; id < model.pieces.size(); ++id) {
    ProtoWriter piece;
    piece.bytes(kPiece, model.pieces[id]);
    piece.float32(kScore, model.scores[id]);
    if (model.types[id] != Type::normal) piece.varint(kType, static_cast<uint64_t>(model.types[id]));
    all.bytes(kPieces, piece.message());
  }
  ProtoWriter trainer;
  trainer.varint(kModelType, static_cast<uint64_t>(model.kind));
  trainer.varint(kVocabularySize, model.pieces.size());
  trainer.varint(kByteFallback, model.byte_fallback ? 1 : 0);
  const auto write_special = [&](int32_t id, TrainerField id_field, TrainerField piece_field) {
    trainer.varint(id_field, signed_value(id));
    if (id >= 0) trainer.bytes(piece_field, model.pieces[static_cast<size_t>(id)]);
  };
  write_special(model.unknown, kUnknownId, kUnknownPiece);
  write_special(model.begin, kBeginId, kBeginPiece);
  write_special(model.end, kEndId, kEndPiece);
  write_special(model.pad, kPadId, kPadPiece);
  all.bytes(kTrainer, trainer.message());
  ProtoWriter normalizer;
  normalizer.bytes(kName, model.rules.empty() ? "identity" : "user_defined");
  normalizer.bytes(kRules, model.rules);
  normalizer.varint(kDummyPrefix, model.add_dummy_prefix ? 1 : 0);
  normalizer.varint(kRemoveSpaces, model.remove_extra_whitespaces ? 1 : 0);
  normalizer.varint(kEscapeSpaces, model.escape_whitespaces ? 1 : 0);
  all.bytes(kNormalizer, normalizer.message());
  return all.message();
}

}  // namespace roformer
