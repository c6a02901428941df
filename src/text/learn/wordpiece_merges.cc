#include "text/learn/wordpiece_merges.h"

#include <algorithm>
#include <set>

#include "text/wordpiece/wordpiece.h"

namespace roformer {

namespace {

uint64_t key_of(int32_t left, int32_t right) {
  return static_cast<uint64_t>(left) << 32 | static_cast<uint32_t>(right);
}

}  // namespace

int32_t WordPieceMerges::piece_id(const std::string& piece) {
  const auto [entry, is_new] = ids_.emplace(piece, static_cast<int32_t>(pieces_.size()));
  if (is_new) pieces_.push_back(piece);
  return entry->second;
}

WordPieceMerges::WordPieceMerges(const WordCounts& counts, std::span<const char32_t> alphabet, std::string_view prefix)
    : prefix_size_(prefix.size()) {
  const std::set<char32_t> known(alphabet.begin(), alphabet.end());
  std::set<char32_t> continuing;
  std::vector<std::pair<std::u32string, int64_t>> spelled;
  for (const auto& [word, count] : counts) {
    std::u32string letters;
    for (size_t i = 0; i < word.size();) {
      const CodePoint c = decode_utf8(word.data() + i);
      letters += c.value;
      i += static_cast<size_t>(c.length);
    }
    if (!std::all_of(letters.begin(), letters.end(), [&](char32_t c) { return known.contains(c); })) continue;
    continuing.insert(letters.begin() + 1, letters.end());
    if (letters.size() > 1) spelled.emplace_back(std::move(letters), count);
  }
  std::sort(spelled.begin(), spelled.end());

  std::unordered_map<char32_t, int32_t> first, next;
  for (const char32_t c : known) {
    std::string piece;
    append_utf8(piece, c);
    first[c] = piece_id(piece);
  }
  for (const char32_t c : continuing) {
    std::string piece(prefix);
    append_utf8(piece, c);
    next[c] = piece_id(piece);
  }
  words_.reserve(spelled.size());
  for (const auto& [letters, count] : spelled) {
    const auto index = static_cast<int32_t>(words_.size());
    auto& word = words_.emplace_back(SpelledWord{{first.at(letters[0])}, count});
    for (size_t i = 1; i < letters.size(); ++i) {
      word.pieces.push_back(next.at(letters[i]));
      Pair& pair = pairs_[key_of(word.pieces[i - 1], word.pieces[i])];
      pair.count += count;
      if (pair.words.empty() || pair.words.back() != index) pair.words.push_back(index);
    }
  }
  for (const auto& [key, pair] : pairs_) queue_.push({pair.count, key});
}

int64_t WordPieceMerges::best_count() {
  while (!queue_.empty()) {
    const Candidate top = queue_.top();
    const auto entry = pairs_.find(top.key);
    if (entry != pairs_.end() && entry->second.count == top.count) return top.count;
    queue_.pop();
    // If its count has grown instead, a newer entry is already in the queue.
    if (entry != pairs_.end() && entry->second.count < top.count) queue_.push({entry->second.count, top.key});
  }
  return 0;
}

void WordPieceMerges::grow(size_t size, int64_t min_frequency) {
  while (pieces_.size() < size && best_count() >= std::max<int64_t>(1, min_frequency)) {
    const uint64_t key = queue_.top().key;
    queue_.pop();
    merge(key);
  }
}

void WordPieceMerges::merge(uint64_t key) {
  const auto left = static_cast<int32_t>(key >> 32), right = static_cast<int32_t>(key & 0xFFFFFFFF);
  const std::string tail = pieces_[static_cast<size_t>(right)].substr(prefix_size_);
  const int32_t joined = piece_id(pieces_[static_cast<size_t>(left)] + tail);
  merges_.push_back({left, right});
  const std::vector<int32_t> indices = std::move(pairs_.at(key).words);
  std::vector<uint64_t> grown;
  for (const int32_t index : indices) {
    SpelledWord& word = words_[static_cast<size_t>(index)];
    if (!merge_in_word(word, left, right, joined)) continue;
    for (size_t i = 1; i < word.pieces.size(); ++i) {
      if (word.pieces[i - 1] != joined && word.pieces[i] != joined) continue;
      const uint64_t neighbor = key_of(word.pieces[i - 1], word.pieces[i]);
      auto& listed = pairs_[neighbor].words;
      if (listed.empty() || listed.back() != index) listed.push_back(index);
      grown.push_back(neighbor);
    }
  }
  pairs_.erase(key);
  std::sort(grown.begin(), grown.end());
  grown.erase(std::unique(grown.begin(), grown.end()), grown.end());
  for (const uint64_t neighbor : grown) {
    const auto entry = pairs_.find(neighbor);
    if (entry != pairs_.end()) queue_.push({entry->second.count, neighbor});
  }
}

// Merges every (left, right) of the word and updates the pair counts; false if there is none.
bool WordPieceMerges::merge_in_word(SpelledWord& word, int32_t left, int32_t right, int32_t joined) {
  const auto add_pairs = [this, &word](int64_t sign) {
    for (size_t i = 1; i < word.pieces.size(); ++i) {
      pairs_[key_of(word.pieces[i - 1], word.pieces[i])].count += sign * word.count;
    }
  };
  const auto is_pair = [&](size_t i) { return word.pieces[i] == left && word.pieces[i + 1] == right; };
  size_t first = 0;
  while (first + 1 < word.pieces.size() && !is_pair(first)) ++first;
  if (first + 1 >= word.pieces.size()) return false;
  add_pairs(-1);
  std::vector<int32_t> merged(word.pieces.begin(), word.pieces.begin() + static_cast<std::ptrdiff_t>(first));
  for (size_t i = first; i < word.pieces.size(); ++i) {
    const bool joins = i + 1 < word.pieces.size() && is_pair(i);
    merged.push_back(joins ? joined : word.pieces[i]);
    if (joins) ++i;
  }
  word.pieces = std::move(merged);
  add_pairs(1);
  return true;
}

}  // namespace roformer
