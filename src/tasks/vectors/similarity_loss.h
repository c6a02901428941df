// Losses of the vectors of a step's texts, by their cosines, with the gradient by the vectors. Pure functions in
// double. The same bits at any number of threads.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "backend/backend.h"
#include "base/parallel.h"
#include "tasks/vectors/vector_matrix.h"

namespace roformer {

// Which vectors belong together. All indices are of rows of the matrix, but for those of candidates.
struct ContrastiveRows {
  std::vector<int32_t> queries;     // [n]
  std::vector<int32_t> candidates;  // [n or more] candidate i is that of query i; those behind are of none
  // [n] Of each query the candidates that are left out as neither right nor wrong, ascending.
  std::vector<std::vector<int32_t>> left_out;
};

struct ContrastiveOptions {
  double scale = 20;       // of the cosines: 1 / temperature
  bool symmetric = false;  // also of each candidate among all queries; both halves count half
  int64_t dimensions = 0;  // the vectors' first ones only; 0: all
};

// InfoNCE (van den Oord et al. 2018; Henderson et al. 2017): Σ over the queries of −log softmax(scale · cosine) of its
// candidate among all. `correct` counts queries whose candidate is the most similar, the first on ties. Memory beside
// copies of the vectors: a block of 64 queries with all candidates. Adds to `gradient` unless it is null.
LossSum contrastive_loss(const VectorMatrix& vectors, const ContrastiveRows& rows, const ContrastiveOptions& options,
                         ThreadPool& pool, VectorMatrix* gradient);

// Pairs with scores: the larger, the more similar.
struct ScoredPairs {
  std::vector<int32_t> first, second;  // rows
  std::vector<double> scores;
};

// CoSENT (Su 2022): n · log(1 + Σ exp(scale · (cosine_j − cosine_i))) over pairs i with a higher score than j; n is the
// number of pairs, so that the mean over pairs is the published loss.
LossSum cosent_loss(const VectorMatrix& vectors, const ScoredPairs& pairs, double scale, int64_t dimensions,
                    VectorMatrix* gradient);

// Σ (cosine − (score − low) / (high − low))².
LossSum cosine_loss(const VectorMatrix& vectors, const ScoredPairs& pairs, double low, double high, int64_t dimensions,
                    VectorMatrix* gradient);

// The weight of the loss of the first `dimensions` numbers of each vector (Matryoshka, Kusupati et al. 2022).
struct VectorSize {
  int64_t dimensions = 0;  // 0: all
  double weight = 1;
};
// Σ over sizes of weight · loss(dimensions); `correct` is that of the first one.
LossSum sum_over_sizes(std::span<const VectorSize> sizes, VectorMatrix* gradient,
                       const std::function<LossSum(int64_t dimensions, VectorMatrix* gradient)>& loss);

}  // namespace roformer
