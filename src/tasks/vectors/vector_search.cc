#include "tasks/vectors/vector_search.h"

#include <algorithm>
#include <functional>
#include <utility>

namespace roformer {

namespace {

constexpr int64_t kSearchTexts = 32, kSearchCandidates = 256;  // of a block

VectorMatrix rows_of(const VectorMatrix& vectors, std::span<const int32_t> rows) {
  VectorMatrix result(static_cast<int64_t>(rows.size()), vectors.width);
  for (int64_t i = 0; i < result.rows; ++i) {
    std::copy_n(vectors.row(rows[static_cast<size_t>(i)]), vectors.width, result.row(i));
  }
  return result;
}

// Calls body(i, first, similarities) for each text i and the candidates from `first` on, a block after the other; the
// blocks of a text come in order and from one thread.
void for_similarities(const VectorSearch& search, std::span<const int32_t> texts,
                      const std::function<void(size_t, size_t, std::span<const double>)>& body) {
  const VectorMatrix candidates = rows_of(search.vectors, search.candidates);
  for_chunks(search.pool, std::ssize(texts), kSearchTexts, [&](int64_t begin, int64_t end) {
    const auto count = static_cast<size_t>(end - begin);
    const VectorMatrix queries = rows_of(search.vectors, texts.subspan(static_cast<size_t>(begin), count));
    std::vector<double> block(count * kSearchCandidates);
    for (int64_t first = 0; first < candidates.rows; first += kSearchCandidates) {
      const int64_t together = std::min(kSearchCandidates, candidates.rows - first);
      row_products(queries.row(0), queries.rows, candidates.row(first), together, candidates.width, block.data(),
                   kSearchCandidates);
      for (size_t i = 0; i < count; ++i) {
        body(static_cast<size_t>(begin) + i, static_cast<size_t>(first),
             std::span(block).subspan(i * kSearchCandidates, static_cast<size_t>(together)));
      }
    }
  });
}

bool is_own(const VectorSearch& search, int32_t text, int32_t candidate) {
  return candidate == text || std::ranges::binary_search(search.partners[static_cast<size_t>(text)], candidate);
}

// By similarity, then by index.
struct Found {
  double similarity;
  int32_t text;
  bool operator<(const Found& other) const {  // comes first
    return similarity > other.similarity || (similarity == other.similarity && text < other.text);
  }
};

}  // namespace

std::vector<std::vector<int32_t>> VectorSearch::nearest(std::span<const int32_t> texts, int64_t count) const {
  std::vector<std::vector<Found>> heaps(texts.size());  // the last of those kept on top
  for_similarities(*this, texts, [&](size_t i, size_t first, std::span<const double> similarities) {
    std::vector<Found>& heap = heaps[i];
    for (size_t c = 0; c < similarities.size(); ++c) {
      const Found found{similarities[c], candidates[first + c]};
      const bool full = std::ssize(heap) == count;
      if ((full && !(found < heap.front())) || is_own(*this, texts[i], found.text)) continue;
      if (full) {
        std::ranges::pop_heap(heap, std::less<>());
        heap.pop_back();
      }
      heap.push_back(found);
      std::ranges::push_heap(heap, std::less<>());
    }
  });
  std::vector<std::vector<int32_t>> result;
  for (std::vector<Found>& heap : heaps) {
    std::ranges::sort(heap, std::less<>());
    std::vector<int32_t>& one = result.emplace_back();
    for (const Found& found : heap) one.push_back(found.text);
  }
  return result;
}

std::vector<VectorSearch::Rank> VectorSearch::ranks(std::span<const int32_t> texts,
                                                    std::span<const int32_t> right) const {
  std::vector<Rank> ranks(texts.size());
  std::vector<double> wanted(texts.size());
  for (size_t i = 0; i < texts.size(); ++i) {
    row_products(vectors.row(texts[i]), 1, vectors.row(right[i]), 1, vectors.width, &wanted[i], 1);
    ranks[i].best = right[i];
    ranks[i].similarity = wanted[i];
  }
  for_similarities(*this, texts, [&](size_t i, size_t first, std::span<const double> similarities) {
    Rank& rank = ranks[i];
    for (size_t c = 0; c < similarities.size(); ++c) {
      const int32_t text = candidates[first + c];
      if (similarities[c] < wanted[i] || text == right[i] || is_own(*this, texts[i], text)) continue;
      ++rank.rank;
      if (similarities[c] > rank.similarity) {
        rank.best = text;
        rank.similarity = similarities[c];
      }
    }
  });
  return ranks;
}

}  // namespace roformer
