// A byte trie over a vocabulary: longest-match look-ups that cost a table probe a byte. Chosen over a hash map of
// tokens (a hash of every prefix tried) and a cache of words (state shared between threads).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace roformer {

class TokenTrie {
 public:
  // The value of a token is its index. Empty tokens are left out.
  explicit TokenTrie(std::span<const std::string> tokens);

  static constexpr int32_t kRoot = 0;
  static constexpr int32_t kNone = -1;

  int32_t walk(int32_t node, std::string_view bytes) const;  // the node reached, or kNone

  struct Match {
    int32_t token;  // kNone when nothing matches
    size_t length;  // bytes of `text` matched
  };
  // The longest token that continues `node` with a prefix of `text`.
  Match longest(int32_t node, std::string_view text) const;

 private:
  struct Slot {
    uint64_t key;  // node << 8 | byte, plus 1; 0 is a free slot
    int32_t child;
  };
  int32_t child(int32_t node, char byte) const;
  int32_t add_child(int32_t node, char byte);
  size_t slot_of(uint64_t key) const;

  std::vector<Slot> slots_;      // open addressing, a power of two, at most half full
  std::vector<int32_t> tokens_;  // node -> token or kNone
};

}  // namespace roformer
