#include "text/pipeline/byte_bpe.h"

#include <bit>
#include <cstring>
#include <limits>
#include <queue>

#include "base/utf8.h"
#include "text/pipeline/byte_letters.h"
#include "text/vocabulary.h"

namespace roformer {

namespace {

constexpr uint64_t kMix = 0x9E3779B97F4A7C15;

template <class Unsigned>
uint64_t load(const char* from) {
  Unsigned value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

constexpr size_t kWide = 3;  // bytes of an ideograph
constexpr size_t kBytePairs = size_t{1} << 16;

bool begins_wide(char byte) { return (static_cast<unsigned char>(byte) & 0xF0) == 0xE0; }

uint64_t join_bytes(std::string_view bytes) {
  uint64_t value = 0;
  for (const char byte : bytes) value = value << 8 | static_cast<unsigned char>(byte);
  return value;
}

// Of the three bytes before a boundary and up to three behind it.
uint64_t hash_boundary(uint64_t before, std::string_view behind) {
  const uint64_t hash = (before << 32 | behind.size() << 24 | join_bytes(behind)) * kMix;
  return hash ^ hash >> 32;
}

bool has_bit(const std::vector<uint64_t>& bits, size_t bit) { return (bits[bit / 64] >> bit % 64 & 1) != 0; }
void set_bit(std::vector<uint64_t>& bits, size_t bit) { bits[bit / 64] |= uint64_t{1} << bit % 64; }

uint64_t hash_bytes(std::string_view bytes) {
  uint64_t hash = bytes.size() * kMix;
  const char* at = bytes.data();
  size_t left = bytes.size();
  const auto mix = [&](uint64_t value) {
    hash = (hash ^ value) * kMix;
    hash ^= hash >> 32;
  };
  for (; left >= 8; at += 8, left -= 8) mix(load<uint64_t>(at));
  if (left >= 4) {
    mix(load<uint32_t>(at) << 32 | load<uint32_t>(at + left - 4));
  } else if (left > 0) {
    const auto byte = [&](size_t i) { return static_cast<uint64_t>(static_cast<unsigned char>(at[i])); };
    mix(byte(0) << 16 | byte(left / 2) << 8 | byte(left - 1));
  }
  return hash;
}

uint64_t pair_of(int32_t left, int32_t right) {
  return static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32 | static_cast<uint32_t>(right);
}

size_t hash_pair(uint64_t pair) {
  const uint64_t hash = (pair ^ pair >> 29) * kMix;
  return hash ^ hash >> 32;
}

size_t table_size(size_t entries) { return std::bit_ceil(2 * entries + 2); }

}  // namespace

ByteBpe::ByteBpe(std::span<const std::string> tokens, bool ignores_merges)
    : ignores_merges_(ignores_merges),
      tokens_(table_size(tokens.size())),
      whole_(std::make_unique<std::atomic<uint8_t>[]>(tokens.size())) {
  byte_ids_.fill(kNone);
  starts_.reserve(tokens.size() + 1);
  for (size_t id = 0; id < tokens.size(); ++id) {
    starts_.push_back(static_cast<uint32_t>(arena_.size()));
    const auto bytes = pipeline::letters_to_bytes(tokens[id]);
    if (!bytes || bytes->empty()) continue;
    arena_ += *bytes;
    longest_ = std::max(longest_, bytes->size());
    const uint64_t hash = hash_bytes(*bytes);
    size_t slot = hash & (tokens_.size() - 1);
    while (tokens_[slot].id != kNone) slot = (slot + 1) & (tokens_.size() - 1);
    tokens_[slot] = {static_cast<uint32_t>(hash >> 32), static_cast<int32_t>(id)};
    if (bytes->size() == 1) byte_ids_[static_cast<unsigned char>(bytes->front())] = static_cast<int32_t>(id);
  }
  starts_.push_back(static_cast<uint32_t>(arena_.size()));
  has_all_bytes_ = std::ranges::find(byte_ids_, kNone) == byte_ids_.end();
}

int32_t ByteBpe::find(std::string_view bytes) const {
  if (bytes.empty() || bytes.size() > longest_) return kNone;
  const uint64_t hash = hash_bytes(bytes);
  const auto tag = static_cast<uint32_t>(hash >> 32);
  for (size_t slot = hash & (tokens_.size() - 1);; slot = (slot + 1) & (tokens_.size() - 1)) {
    const TokenSlot& entry = tokens_[slot];
    if (entry.id == kNone || (entry.tag == tag && bytes_of(entry.id) == bytes)) return entry.id;
  }
}

ByteBpe::PairSlot& ByteBpe::slot_of(uint64_t pair) {
  size_t slot = hash_pair(pair) & (pairs_.size() - 1);
  while (pairs_[slot].rank != kNoRank && pairs_[slot].pair != pair) slot = (slot + 1) & (pairs_.size() - 1);
  return pairs_[slot];
}

void ByteBpe::set_merges(std::span<const Merge> merges) {
  pairs_.resize(table_size(merges.size()));
  boundaries_.resize(std::bit_ceil(merges.size() / 2 + 1));  // 32 bits a merge
  short_boundaries_.resize(kBytePairs / 64);
  for (const Merge& merge : merges) {
    note_boundary(merge);
    const auto rank = static_cast<uint32_t>(merged_.size());
    slot_of(pair_of(merge.left, merge.right)) = {pair_of(merge.left, merge.right), rank};
    merged_.push_back(merge.merged);
  }
  byte_ranks_.resize(kBytePairs);
  for (size_t bytes = 0; bytes < byte_ranks_.size(); ++bytes) {
    byte_ranks_[bytes] = rank_of(byte_ids_[bytes >> 8], byte_ids_[bytes & 0xFF]);
  }
}

uint32_t ByteBpe::rank_of(int32_t left, int32_t right) const {
  const uint64_t pair = pair_of(left, right);
  for (size_t slot = hash_pair(pair) & (pairs_.size() - 1);; slot = (slot + 1) & (pairs_.size() - 1)) {
    const PairSlot& entry = pairs_[slot];
    if (entry.pair == pair || entry.rank == kNoRank) return entry.rank;
  }
}

void ByteBpe::note_boundary(const Merge& merge) {
  const std::string_view left = bytes_of(merge.left), right = bytes_of(merge.right);
  if (begins_code_point(left.back()) || !begins_wide(right.front())) return;
  if (left.size() < kWide) {
    set_bit(short_boundaries_, join_bytes(left.substr(left.size() - 1)) << 8 | join_bytes(right.substr(0, 1)));
  } else {
    const uint64_t hash = hash_boundary(join_bytes(left.substr(left.size() - kWide)), right.substr(0, kWide));
    set_bit(boundaries_, hash & (64 * boundaries_.size() - 1));
  }
}

// Whether some merge joins a token that ends there with one that starts there.
bool ByteBpe::may_join(std::string_view word, size_t boundary) const {
  if (has_bit(short_boundaries_, join_bytes(word.substr(boundary - 1, 2)))) return true;
  const uint64_t before = join_bytes(word.substr(boundary - kWide, kWide));
  for (size_t size = 1; size <= kWide; ++size) {
    const uint64_t hash = hash_boundary(before, word.substr(boundary, size));
    if (has_bit(boundaries_, hash & (64 * boundaries_.size() - 1))) return true;
  }
  return false;
}

size_t ByteBpe::end_of_part(std::string_view word, size_t begin) const {
  for (size_t at = begin; at < word.size();) {
    const bool wide = begins_wide(word[at]);
    at += wide ? kWide : 1;
    if (wide && at < word.size() && begins_wide(word[at]) && !may_join(word, at)) return at;
  }
  return word.size();
}

int32_t ByteBpe::find_whole(std::string_view word) const {
  const int32_t id = find(word);
  if (id == kNone) return kNone;
  std::atomic<uint8_t>& known = whole_[static_cast<size_t>(id)];
  uint8_t whole = known.load(std::memory_order_relaxed);
  if (whole == kUnknown) {
    std::vector<int32_t> ids(word.size());
    std::vector<uint32_t> ends(word.size());
    if (word.size() <= kShort) {
      ids.resize(merge_short(word, ids.data(), ends.data()));
    } else {
      merge_long(word, ids, ends);
    }
    whole = ids.size() == 1 && ids[0] == id ? kIsWhole : kIsNot;
    known.store(whole, std::memory_order_relaxed);
  }
  return whole == kIsWhole ? id : kNone;
}

// Each place has the rank of its token with the next and, below it, its number: the least is the earliest merge, the
// leftmost of equal ones. Places whose token was merged into the one before keep kNoKey.
size_t ByteBpe::merge_short(std::string_view word, int32_t* ids, uint32_t* ends) const {
  static_assert(kMaxTokens * kShort <= size_t{1} << 31);
  constexpr int32_t kNoKey = std::numeric_limits<int32_t>::max();
  constexpr size_t kLanes = 8;
  std::array<int32_t, kShort> keys;
  std::array<uint8_t, kShort + 1> next, previous;
  const size_t size = word.size(), padded = (size + kLanes - 1) / kLanes * kLanes;
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(word[i]); };
  const auto set_rank = [&](size_t place, uint32_t rank) {
    keys[place] = rank == kNoRank ? kNoKey : static_cast<int32_t>(rank * kShort + place);
  };
  for (size_t i = 0; i < size; ++i) {
    ids[i] = byte_ids_[byte(i)];
    set_rank(i, i + 1 < size ? byte_ranks_[static_cast<size_t>(byte(i)) << 8 | byte(i + 1)] : kNoRank);
    next[i] = static_cast<uint8_t>(i + 1);
    previous[i + 1] = static_cast<uint8_t>(i);
  }
  std::fill(keys.begin() + static_cast<std::ptrdiff_t>(size), keys.begin() + static_cast<std::ptrdiff_t>(padded),
            kNoKey);
  while (true) {
    int32_t least = kNoKey;
    for (size_t i = 0; i < padded; ++i) least = std::min(least, keys[i]);
    if (least == kNoKey) break;
    const size_t at = static_cast<size_t>(least) % kShort, right = next[at], behind = next[right];
    ids[at] = merged_[static_cast<size_t>(least) / kShort];
    keys[right] = kNoKey;
    next[at] = static_cast<uint8_t>(behind);
    previous[behind] = static_cast<uint8_t>(at);
    set_rank(at, behind < size ? rank_of(ids[at], ids[behind]) : kNoRank);
    if (at > 0) set_rank(previous[at], rank_of(ids[previous[at]], ids[at]));
  }
  size_t count = 0;
  for (size_t place = 0; place < size; place = next[place]) {
    ids[count] = ids[place];
    ends[count++] = next[place];
  }
  return count;
}

void ByteBpe::merge_long(std::string_view word, std::vector<int32_t>& ids, std::vector<uint32_t>& ends) const {
  // A token's place is its first byte; `next` is the place behind it.
  struct Candidate {
    uint32_t rank, place;
    bool operator<(const Candidate& other) const {  // lower priority
      return rank != other.rank ? rank > other.rank : place > other.place;
    }
  };
  const auto size = static_cast<uint32_t>(word.size());
  std::vector<int32_t> token(word.size());  // kNone: merged into the one before
  std::vector<uint32_t> next(word.size()), previous(word.size());
  std::priority_queue<Candidate> queue;
  const auto rank_at = [&](uint32_t place) {
    return next[place] < size ? rank_of(token[place], token[next[place]]) : kNoRank;
  };
  const auto offer = [&](uint32_t place) {
    if (const uint32_t rank = rank_at(place); rank != kNoRank) queue.push({rank, place});
  };
  for (uint32_t i = 0; i < size; ++i) {
    token[i] = byte_ids_[static_cast<unsigned char>(word[i])];
    next[i] = i + 1;
    previous[i] = i == 0 ? size : i - 1;
  }
  for (uint32_t i = 0; i < size; ++i) offer(i);
  while (!queue.empty()) {
    const auto [rank, place] = queue.top();
    queue.pop();
    if (token[place] == kNone || rank_at(place) != rank) continue;  // one of the two has changed
    const uint32_t right = next[place];
    token[place] = merged_[rank];
    token[right] = kNone;
    next[place] = next[right];
    if (next[place] < size) previous[next[place]] = place;
    if (previous[place] != size) offer(previous[place]);
    offer(place);
  }
  ids.clear();
  ends.clear();
  for (uint32_t place = 0; place < size; place = next[place]) {
    ids.push_back(token[place]);
    ends.push_back(next[place]);
  }
}

}  // namespace roformer
