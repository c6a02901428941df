// Byte-pair encoding of words of bytes, as GPT-2's and most decoders' vocabularies: the same merges as in bpe_model.h,
// for vocabularies that have a token for each byte, or most. Made for speed: a word that is a token whole is one
// look-up, a run of ideographs is taken apart where no merge joins its neighbors, a short part is merged by scanning
// its few pairs, a long one by a queue, so that no word takes quadratic time. Nothing is cached by text, so that
// threads share nothing that changes but what is known of whole tokens.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace roformer {

class ByteBpe {
 public:
  struct Merge {
    int32_t left, right, merged;
  };

  // `tokens` by id, spelled in letters (byte_letters.h); empty ones, and those with other characters, are never
  // produced. With `ignores_merges` a word that is a token is that token, whatever the merges make of it.
  ByteBpe(std::span<const std::string> tokens, bool ignores_merges);

  bool has_all_bytes() const { return has_all_bytes_; }
  // Whether each byte of a word has a token: only such words can be cut.
  bool has_bytes_of(std::string_view word) const {
    return has_all_bytes_ ||
           std::ranges::all_of(word, [&](char byte) { return byte_ids_[static_cast<unsigned char>(byte)] != kNone; });
  }
  // The token of some bytes, or kNone.
  static constexpr int32_t kNone = -1;
  int32_t find(std::string_view bytes) const;
  // By rank, the earliest first; of equal pairs the last counts. Call once, before cut().
  void set_merges(std::span<const Merge> merges);

  // Calls on_piece(id, begin, end) for the tokens of a word, which they cover. `word` is not empty, and all its bytes
  // have tokens.
  template <class OnPiece>
  void cut(std::string_view word, const OnPiece& on_piece) const {
    const int32_t id = ignores_merges_ ? find(word) : find_whole(word);
    if (id != kNone) {
      on_piece(id, size_t{0}, word.size());
      return;
    }
    for (size_t begin = 0, end = 0; begin < word.size(); begin = end) {
      end = end_of_part(word, begin);
      cut_part(word.substr(begin, end - begin), begin, begin == 0 && end == word.size(), on_piece);
    }
  }

 private:
  static constexpr size_t kShort = 128;  // bytes of a word that is merged by scanning
  static constexpr uint32_t kNoRank = 0xFFFFFFFF;
  enum Whole : uint8_t { kUnknown, kIsWhole, kIsNot };

  // Of a part that starts at byte `at` of its word.
  template <class OnPiece>
  void cut_part(std::string_view part, size_t at, bool is_word, const OnPiece& on_piece) const {
    const int32_t id = is_word && !ignores_merges_ ? kNone : find_whole(part);  // a word has been looked up
    if (id != kNone) {
      on_piece(id, at, at + part.size());
    } else if (part.size() <= kShort) {
      std::array<int32_t, kShort> ids;
      std::array<uint32_t, kShort> ends;
      emit(ids.data(), ends.data(), merge_short(part, ids.data(), ends.data()), at, on_piece);
    } else {
      std::vector<int32_t> ids;
      std::vector<uint32_t> ends;
      merge_long(part, ids, ends);
      emit(ids.data(), ends.data(), ids.size(), at, on_piece);
    }
  }

  template <class OnPiece>
  static void emit(const int32_t* ids, const uint32_t* ends, size_t count, size_t at, const OnPiece& on_piece) {
    size_t begin = at;
    for (size_t i = 0; i < count; begin = at + ends[i++]) on_piece(ids[i], begin, at + ends[i]);
  }

  std::string_view bytes_of(int32_t id) const {
    const size_t begin = starts_[static_cast<size_t>(id)];
    return std::string_view(arena_).substr(begin, starts_[static_cast<size_t>(id) + 1] - begin);
  }
  // The token that the merges make of all these bytes, or kNone.
  int32_t find_whole(std::string_view word) const;
  // Where the tokens of a word that starts at `begin` end for certain: no merge joins what is before it and behind.
  size_t end_of_part(std::string_view word, size_t begin) const;
  bool may_join(std::string_view word, size_t boundary) const;
  void note_boundary(const Merge& merge);
  uint32_t rank_of(int32_t left, int32_t right) const;
  size_t merge_short(std::string_view word, int32_t* ids, uint32_t* ends) const;
  void merge_long(std::string_view word, std::vector<int32_t>& ids, std::vector<uint32_t>& ends) const;

  struct TokenSlot {
    uint32_t tag = 0;
    int32_t id = kNone;
  };
  struct PairSlot {
    uint64_t pair = 0;
    uint32_t rank = kNoRank;  // kNoRank: the slot is free
  };
  PairSlot& slot_of(uint64_t pair);

  bool ignores_merges_, has_all_bytes_ = false;
  std::string arena_;             // the bytes of all tokens
  std::vector<uint32_t> starts_;  // in the arena, by id, and its end
  size_t longest_ = 0;
  std::vector<TokenSlot> tokens_;  // open addressing, as pairs_; powers of two, at most half full
  std::array<int32_t, 256> byte_ids_;
  std::vector<uint32_t> byte_ranks_;  // of pairs of bytes
  std::vector<PairSlot> pairs_;
  std::vector<int32_t> merged_;  // by rank
  // Of the merges between two characters of three bytes: a set of hashes of the bytes beside the boundary, and pairs of
  // bytes of those whose left token is shorter than that. Both may say yes too often.
  std::vector<uint64_t> boundaries_, short_boundaries_;
  // Of each token whether its bytes become this token alone, once somebody has asked: any thread finds the same.
  std::unique_ptr<std::atomic<uint8_t>[]> whole_;
};

}  // namespace roformer
