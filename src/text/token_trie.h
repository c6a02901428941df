// A byte trie over a vocabulary as a double array (Aoe 1989): a child lookup is one addition and one comparison. Chosen
// over a hash map of tokens (a hash of every prefix tried), a hash table of edges (half the speed) and a cache of words
// (state shared between threads).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace roformer {

class TokenTrie {
 public:
  // The value of a token is its index. Empty tokens are skipped.
  explicit TokenTrie(std::span<const std::string> tokens);

  static constexpr int32_t kRoot = 0;
  static constexpr int32_t kNone = -1;

  int32_t walk(int32_t node, std::string_view bytes) const;  // the node reached, or kNone

  struct Match {
    int32_t token;  // kNone when nothing matches
    size_t length;  // bytes of `text` matched
  };
  // The longest token that continues `node` with a prefix of `text`.
  Match longest(int32_t node, std::string_view text) const {
    Match best{kNone, 0};
    for (size_t i = 0; i < text.size(); ++i) {
      node = child(node, text[i]);
      if (node == kNone) break;
      const int32_t token = units_[static_cast<size_t>(node)].token;
      if (token != kNone) best = {token, i + 1};
    }
    return best;
  }

  // Calls on_match(token, length) for every token that is a prefix of `text`, the shortest first.
  template <class OnMatch>
  void for_prefixes(std::string_view text, const OnMatch& on_match) const {
    int32_t node = kRoot;
    for (size_t i = 0; i < text.size() && (node = child(node, text[i])) != kNone; ++i) {
      const int32_t token = units_[static_cast<size_t>(node)].token;
      if (token != kNone) on_match(token, i + 1);
    }
  }

 private:
  struct Unit {
    int32_t base = 0;        // the child for byte b is unit base + b if its parent is this unit
    int32_t parent = kNone;  // kNone if the unit is free
    int32_t token = kNone;
  };
  struct Builder;  // of units_

  int32_t child(int32_t node, char byte) const {
    const int32_t next = units_[static_cast<size_t>(node)].base + static_cast<unsigned char>(byte);
    return units_[static_cast<size_t>(next)].parent == node ? next : kNone;
  }

  std::vector<Unit> units_;  // ends with 256 free ones, so that base + byte is in bounds
};

}  // namespace roformer
