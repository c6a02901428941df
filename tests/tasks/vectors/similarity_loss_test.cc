#include "tasks/vectors/similarity_loss.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "base/random.h"

namespace roformer {
namespace {

VectorMatrix random_vectors(int64_t rows, int64_t width, uint64_t seed = 1) {
  VectorMatrix vectors(rows, width);
  Generator generator({seed, 0});
  for (double& value : vectors.values) value = generator.normal();
  return vectors;
}

using LossFunction = std::function<double(const VectorMatrix& vectors, VectorMatrix* gradient)>;

// Compares the gradient with central differences.
void expect_vector_gradient(const LossFunction& loss, const VectorMatrix& at) {
  constexpr double kStep = 1e-5;
  VectorMatrix gradient(at.rows, at.width);
  EXPECT_EQ(loss(at, &gradient), loss(at, nullptr));
  for (size_t i = 0; i < at.values.size(); ++i) {
    VectorMatrix more = at, less = at;
    more.values[i] += kStep;
    less.values[i] -= kStep;
    EXPECT_NEAR(gradient.values[i], (loss(more, nullptr) - loss(less, nullptr)) / (2 * kStep), 1e-7) << i;
  }
}

double cosine_of(const VectorMatrix& vectors, int32_t a, int32_t b, int64_t width) {
  double dot = 0, aa = 0, bb = 0;
  for (int64_t k = 0; k < width; ++k) {
    dot += vectors.row(a)[k] * vectors.row(b)[k];
    aa += vectors.row(a)[k] * vectors.row(a)[k];
    bb += vectors.row(b)[k] * vectors.row(b)[k];
  }
  return dot / std::sqrt(aa * bb);
}

// Three anchors (rows 0, 2, 4), their positives (1, 3, 5) and a negative (6).
ContrastiveRows three_pairs() { return {.queries = {0, 2, 4}, .candidates = {1, 3, 5, 6}, .left_out = {{}, {2}, {}}}; }

double contrastive_by_definition(const VectorMatrix& vectors, const ContrastiveRows& rows, double scale, bool symmetric,
                                 int64_t width) {
  const size_t n = rows.queries.size();
  const auto score = [&](size_t i, size_t c) -> double {
    for (const int32_t out : rows.left_out[i]) {
      if (out == static_cast<int32_t>(c)) return -INFINITY;
    }
    return scale * cosine_of(vectors, rows.queries[i], rows.candidates[c], width);
  };
  double forward = 0, backward = 0;
  for (size_t i = 0; i < n; ++i) {
    double of_query = 0, of_candidate = 0;
    for (size_t c = 0; c < rows.candidates.size(); ++c) of_query += std::exp(score(i, c));
    for (size_t other = 0; other < n; ++other) of_candidate += std::exp(score(other, i));
    forward += std::log(of_query) - score(i, i);
    backward += std::log(of_candidate) - score(i, i);
  }
  return symmetric ? (forward + backward) / 2 : forward;
}

TEST(ContrastiveLoss, IsTheCrossEntropyOfScaledCosines) {
  ThreadPool pool(1);
  const VectorMatrix vectors = random_vectors(7, 5);
  for (const bool symmetric : {false, true}) {
    for (const int64_t dimensions : {0, 3}) {
      const LossSum loss = contrastive_loss(
          vectors, three_pairs(), {.scale = 3, .symmetric = symmetric, .dimensions = dimensions}, pool, nullptr);
      EXPECT_NEAR(loss.sum,
                  contrastive_by_definition(vectors, three_pairs(), 3, symmetric, dimensions == 0 ? 5 : dimensions),
                  1e-12);
    }
  }
}

TEST(ContrastiveLoss, GradientsAreThoseOfCentralDifferences) {
  ThreadPool pool(1);
  for (const bool symmetric : {false, true}) {
    for (const int64_t dimensions : {0, 3}) {
      expect_vector_gradient(
          [&](const VectorMatrix& vectors, VectorMatrix* gradient) {
            return contrastive_loss(vectors, three_pairs(),
                                    {.scale = 3, .symmetric = symmetric, .dimensions = dimensions}, pool, gradient)
                .sum;
          },
          random_vectors(7, 5));
    }
  }
}

TEST(ContrastiveLoss, TextsLeftOutHaveNoEffect) {
  ThreadPool pool(1);
  VectorMatrix vectors = random_vectors(4, 5);
  const ContrastiveRows rows{.queries = {0}, .candidates = {1, 2, 3}, .left_out = {{1, 2}}};
  VectorMatrix gradient(4, 5);
  EXPECT_EQ(contrastive_loss(vectors, rows, {}, pool, &gradient).sum, 0);
  EXPECT_THAT(gradient.values, testing::Each(0));
}

// Several blocks of queries and of candidates.
TEST(ContrastiveLoss, HasTheSameBitsAtAnyNumberOfThreads) {
  constexpr int32_t kCount = 300;
  const VectorMatrix vectors = random_vectors(2 * kCount, 20);
  ContrastiveRows rows;
  for (int32_t i = 0; i < kCount; ++i) {
    rows.queries.push_back(2 * i);
    rows.candidates.push_back(2 * i + 1);
    rows.left_out.emplace_back();
  }
  rows.left_out[200] = {3, 299};
  VectorMatrix alone(vectors.rows, vectors.width), together = alone;
  ThreadPool one(1), four(4);
  const LossSum loss = contrastive_loss(vectors, rows, {.symmetric = true}, one, &alone);
  const LossSum same = contrastive_loss(vectors, rows, {.symmetric = true}, four, &together);
  EXPECT_EQ(loss.sum, same.sum);
  EXPECT_EQ(alone.values, together.values);
  EXPECT_NEAR(loss.sum, contrastive_by_definition(vectors, rows, 20, true, 20), 1e-8);
}

TEST(ContrastiveLoss, ZeroVectorsAndLargeScalesStayFinite) {
  ThreadPool pool(1);
  VectorMatrix vectors = random_vectors(4, 3);
  std::fill_n(vectors.row(0), 3, 0.0);
  const ContrastiveRows rows{.queries = {0, 2}, .candidates = {1, 3}, .left_out = {{}, {}}};
  VectorMatrix gradient(4, 3);
  const LossSum loss = contrastive_loss(vectors, rows, {.scale = 10'000}, pool, &gradient);
  EXPECT_TRUE(std::isfinite(loss.sum));
  for (const double value : gradient.values) EXPECT_TRUE(std::isfinite(value));
}

const ScoredPairs kScoredPairs{.first = {0, 2, 4, 6, 1}, .second = {1, 3, 5, 7, 6}, .scores = {3, 1, 1, 5, 0}};

TEST(CosentLoss, IsTheSumOverPairsInTheWrongOrder) {
  const VectorMatrix vectors = random_vectors(8, 5);
  double sum = 1;
  for (size_t i = 0; i < kScoredPairs.scores.size(); ++i) {
    for (size_t j = 0; j < kScoredPairs.scores.size(); ++j) {
      if (kScoredPairs.scores[i] <= kScoredPairs.scores[j]) continue;
      sum += std::exp(20 * (cosine_of(vectors, kScoredPairs.first[j], kScoredPairs.second[j], 5) -
                            cosine_of(vectors, kScoredPairs.first[i], kScoredPairs.second[i], 5)));
    }
  }
  EXPECT_NEAR(cosent_loss(vectors, kScoredPairs, 20, 0, nullptr).sum, 5 * std::log(sum), 1e-9);
}

TEST(CosentLoss, GradientsAreThoseOfCentralDifferences) {
  expect_vector_gradient([](const VectorMatrix& vectors,
                            VectorMatrix* gradient) { return cosent_loss(vectors, kScoredPairs, 5, 4, gradient).sum; },
                         random_vectors(8, 5));
}

TEST(CosentLoss, OfEqualScoresIsNothing) {
  VectorMatrix gradient(8, 5);
  const ScoredPairs pairs{.first = {0, 2}, .second = {1, 3}, .scores = {2, 2}};
  EXPECT_EQ(cosent_loss(random_vectors(8, 5), pairs, 20, 0, &gradient).sum, 0);
  EXPECT_THAT(gradient.values, testing::Each(0));
}

TEST(CosineLoss, IsTheSquaredErrorOfScaledScores) {
  const VectorMatrix vectors = random_vectors(4, 5);
  const ScoredPairs pairs{.first = {0, 2}, .second = {1, 3}, .scores = {1, 5}};
  const double first = cosine_of(vectors, 0, 1, 5) - 0.25, second = cosine_of(vectors, 2, 3, 5) - 1.25;
  EXPECT_NEAR(cosine_loss(vectors, pairs, 0, 4, 0, nullptr).sum, first * first + second * second, 1e-12);
}

TEST(CosineLoss, GradientsAreThoseOfCentralDifferences) {
  expect_vector_gradient(
      [](const VectorMatrix& vectors, VectorMatrix* gradient) {
        return cosine_loss(vectors, kScoredPairs, 0, 5, 0, gradient).sum;
      },
      random_vectors(8, 5));
}

TEST(SumOverSizes, WeighsTheLossOfEachSize) {
  const VectorMatrix vectors = random_vectors(8, 5);
  const std::vector<VectorSize> sizes = {{.dimensions = 5, .weight = 2}, {.dimensions = 2, .weight = 0.5}};
  const LossFunction loss = [&](const VectorMatrix& at, VectorMatrix* gradient) {
    return sum_over_sizes(sizes, gradient,
                          [&](int64_t dimensions, VectorMatrix* part) {
                            return cosent_loss(at, kScoredPairs, 5, dimensions, part);
                          })
        .sum;
  };
  EXPECT_NEAR(loss(vectors, nullptr),
              2 * cosent_loss(vectors, kScoredPairs, 5, 5, nullptr).sum +
                  0.5 * cosent_loss(vectors, kScoredPairs, 5, 2, nullptr).sum,
              1e-12);
  expect_vector_gradient(loss, vectors);
}

}  // namespace
}  // namespace roformer
