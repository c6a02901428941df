#include "text/wordpiece/word_pieces.h"

#include <algorithm>
#include <span>

namespace roformer {

namespace {

// Replaces the pieces appended for a word by the unknown id.
void replace_by_unknown(size_t old_size, size_t old_offsets, int32_t unknown, std::array<int64_t, 2> offset,
                        std::vector<int32_t>& ids, WordPieces::Offsets* offsets) {
  ids.resize(old_size);
  ids.push_back(unknown);
  if (!offsets) return;
  offsets->resize(old_offsets);
  offsets->push_back(offset);
}

}  // namespace

void WordPieces::append(const Word& word, int64_t limit, std::vector<int32_t>& ids, Offsets* offsets) const {
  const size_t old_size = ids.size(), old_offsets = offsets ? offsets->size() : 0;
  const auto on_piece = [&](int32_t id, size_t begin, size_t end) {
    ids.push_back(id);
    if (!offsets) return;
    const auto origins = std::span(word.origins).subspan(begin, end - begin);
    const auto [low, high] = std::minmax_element(origins.begin(), origins.end());
    offsets->push_back({*low, *high + 1});
  };
  if (word.code_points <= limit && cut(word.text, on_piece)) return;
  replace_by_unknown(old_size, old_offsets, unknown_, {word.first, word.last + 1}, ids, offsets);
}

void WordPieces::append_ascii(std::string_view word, int64_t first, std::vector<int32_t>& ids, Offsets* offsets) const {
  const size_t old_size = ids.size(), old_offsets = offsets ? offsets->size() : 0;
  const auto on_piece = [&](int32_t id, size_t begin, size_t end) {
    ids.push_back(id);
    if (offsets) offsets->push_back({first + static_cast<int64_t>(begin), first + static_cast<int64_t>(end)});
  };
  if (cut(word, on_piece)) return;
  replace_by_unknown(old_size, old_offsets, unknown_, {first, first + static_cast<int64_t>(word.size())}, ids, offsets);
}

}  // namespace roformer
