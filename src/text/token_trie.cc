#include "text/token_trie.h"

#include <bit>

namespace roformer {

namespace {

uint64_t key_of(int32_t node, char byte) {
  return (static_cast<uint64_t>(node) << 8 | static_cast<unsigned char>(byte)) + 1;
}

}  // namespace

TokenTrie::TokenTrie(std::span<const std::string> tokens) : tokens_{kNone} {
  size_t bytes = 1;
  for (const auto& token : tokens) bytes += token.size();
  slots_.assign(std::bit_ceil(2 * bytes), Slot{0, kNone});
  for (size_t i = 0; i < tokens.size(); ++i) {
    if (tokens[i].empty()) continue;
    int32_t node = kRoot;
    for (const char byte : tokens[i]) node = add_child(node, byte);
    tokens_[static_cast<size_t>(node)] = static_cast<int32_t>(i);
  }
}

size_t TokenTrie::slot_of(uint64_t key) const {
  const size_t mask = slots_.size() - 1;
  size_t slot = static_cast<size_t>(key * 0x9E3779B97F4A7C15u >> 20) & mask;
  while (slots_[slot].key != 0 && slots_[slot].key != key) slot = (slot + 1) & mask;
  return slot;
}

int32_t TokenTrie::child(int32_t node, char byte) const { return slots_[slot_of(key_of(node, byte))].child; }

int32_t TokenTrie::add_child(int32_t node, char byte) {
  Slot& slot = slots_[slot_of(key_of(node, byte))];
  if (slot.key == 0) {
    slot = {key_of(node, byte), static_cast<int32_t>(tokens_.size())};
    tokens_.push_back(kNone);
  }
  return slot.child;
}

int32_t TokenTrie::walk(int32_t node, std::string_view bytes) const {
  for (size_t i = 0; i < bytes.size() && node != kNone; ++i) node = child(node, bytes[i]);
  return node;
}

TokenTrie::Match TokenTrie::longest(int32_t node, std::string_view text) const {
  Match best{kNone, 0};
  for (size_t i = 0; i < text.size(); ++i) {
    node = child(node, text[i]);
    if (node == kNone) break;
    const int32_t token = tokens_[static_cast<size_t>(node)];
    if (token != kNone) best = {token, i + 1};
  }
  return best;
}

}  // namespace roformer
