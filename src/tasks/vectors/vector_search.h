// Exact search among vectors: the most similar ones that are none of a text's own. Blocked products in double on all
// threads; ties go to the lower index, so that the result depends on the vectors only.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/parallel.h"
#include "tasks/vectors/vector_matrix.h"

namespace roformer {

// Texts are rows of `vectors`; what is compared are their products, of unit vectors the cosines. `partners`: of each
// text those that belong with it (find_partners), which like itself are no results.
struct VectorSearch {
  const VectorMatrix& vectors;
  std::span<const std::vector<int32_t>> partners;
  std::vector<int32_t> candidates;  // different texts
  ThreadPool& pool;

  // Of each of the texts the `count` most similar candidates, the most similar first; fewer if there are no more.
  std::vector<std::vector<int32_t>> nearest(std::span<const int32_t> texts, int64_t count) const;

  struct Rank {
    int64_t rank = 1;       // 1 + the candidates that are at least as similar as the right one
    int32_t best = 0;       // the most similar text, the right one included
    double similarity = 0;  // of the best
  };
  // Where the right text of each text stands. `right[i]` is that of texts[i].
  std::vector<Rank> ranks(std::span<const int32_t> texts, std::span<const int32_t> right) const;
};

}  // namespace roformer
