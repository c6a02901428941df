// Byte-pair encoding of words of bytes, as GPT-2's and most decoders' vocabularies: the same merges as in bpe_model.h,
// for vocabularies that have a token for each byte. Made for speed: a word that is a token whole is one look-up, a
// short one is merged by scanning its few pairs, a long one by a queue, so that no word takes quadratic time. Nothing
// is cached by text, so that threads share nothing that changes but what is known of whole tokens.
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

  bool has_all_bytes() const { return std::ranges::find(byte_ids_, kNone) == byte_ids_.end(); }
  // The token of some bytes, or kNone.
  static constexpr int32_t kNone = -1;
  int32_t find(std::string_view bytes) const;
  // By rank, the earliest first; of equal pairs the last counts. Call once, before cut(), with all bytes there.
  void set_merges(std::span<const Merge> merges);

  // Calls on_piece(id, begin, end) for the tokens of a word, which they cover. `word` is not empty.
  template <class OnPiece>
  void cut(std::string_view word, const OnPiece& on_piece) const {
    if (const int32_t id = find_whole(word); id != kNone) {
      on_piece(id, size_t{0}, word.size());
      return;
    }
    if (word.size() <= kShort) {
      std::array<int32_t, kShort> ids;
      std::array<uint32_t, kShort> ends;
      emit(ids.data(), ends.data(), merge_short(word, ids.data(), ends.data()), on_piece);
    } else {
      std::vector<int32_t> ids;
      std::vector<uint32_t> ends;
      merge_long(word, ids, ends);
      emit(ids.data(), ends.data(), ids.size(), on_piece);
    }
  }

 private:
  static constexpr size_t kShort = 128;  // bytes of a word that is merged by scanning
  static constexpr uint32_t kNoRank = 0xFFFFFFFF;
  enum Whole : uint8_t { kUnknown, kIsWhole, kIsNot };

  template <class OnPiece>
  static void emit(const int32_t* ids, const uint32_t* ends, size_t count, const OnPiece& on_piece) {
    size_t begin = 0;
    for (size_t i = 0; i < count; begin = ends[i++]) on_piece(ids[i], begin, size_t{ends[i]});
  }

  std::string_view bytes_of(int32_t id) const {
    const size_t begin = starts_[static_cast<size_t>(id)];
    return std::string_view(arena_).substr(begin, starts_[static_cast<size_t>(id) + 1] - begin);
  }
  int32_t find_whole(std::string_view word) const;
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

  bool ignores_merges_;
  std::string arena_;             // the bytes of all tokens
  std::vector<uint32_t> starts_;  // in the arena, by id, and its end
  size_t longest_ = 0;
  std::vector<TokenSlot> tokens_;  // open addressing, as pairs_; powers of two, at most half full
  std::array<int32_t, 256> byte_ids_;
  std::vector<uint32_t> byte_ranks_;  // of pairs of bytes
  std::vector<PairSlot> pairs_;
  std::vector<int32_t> merged_;  // by rank
  // Of each token whether its bytes become this token alone, once somebody has asked: any thread finds the same.
  std::unique_ptr<std::atomic<uint8_t>[]> whole_;
};

}  // namespace roformer
