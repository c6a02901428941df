#include "tasks/loss_terms.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

namespace roformer {
namespace {

const std::vector<double> kLogits{0.3, -1.2, 2.0, 0.7, 0.1, -0.4};

// Compares a gradient with central differences of the loss.
void expect_gradient(const std::function<double(std::span<const double>)>& loss, const std::vector<double>& at,
                     const std::vector<double>& gradient) {
  constexpr double kStep = 1e-6;
  for (size_t i = 0; i < at.size(); ++i) {
    std::vector<double> more = at, less = at;
    more[i] += kStep;
    less[i] -= kStep;
    EXPECT_NEAR(gradient[i], (loss(more) - loss(less)) / (2 * kStep), 1e-8) << i;
  }
}

std::vector<LossTerm> each_kind() {
  return {{.kind = TermKind::softmax, .first = 0, .stride = 1, .count = 3, .target = 1, .weight = 0.5},
          {.kind = TermKind::softmax, .first = 1, .stride = 2, .count = 3, .target = 0},
          {.kind = TermKind::sigmoid, .first = 2, .target = 0, .weight = 3},
          {.kind = TermKind::sigmoid, .first = 4, .target = 1},
          {.kind = TermKind::squared, .first = 5, .value = 1.5, .weight = 2}};
}

TEST(LossTerms, SoftmaxIsCrossEntropy) {
  const LossTerm term{.count = 3, .target = 2};
  // torch.nn.functional.cross_entropy(torch.tensor([[0.3, -1.2, 2.0]]), torch.tensor([2]))
  const double expected = std::log(std::exp(0.3 - 2.0) + std::exp(-1.2 - 2.0) + 1);
  const TermLoss loss = term_loss(term, kLogits, {}, 1, {});
  EXPECT_NEAR(loss.loss, expected, 1e-12);
  EXPECT_TRUE(loss.correct);
  EXPECT_FALSE(term_loss({.count = 3, .target = 0}, kLogits, {}, 1, {}).correct);
}

TEST(LossTerms, TheFirstOfEqualLogitsIsPredicted) {
  const std::vector<double> equal{1, 1};
  EXPECT_TRUE(term_loss({.count = 2, .target = 0}, equal, {}, 1, {}).correct);
  EXPECT_FALSE(term_loss({.count = 2, .target = 1}, equal, {}, 1, {}).correct);
}

TEST(LossTerms, GradientsAreThoseOfCentralDifferences) {
  for (const double smoothing : {0.0, 0.1}) {
    for (const LossTerm& term : each_kind()) {
      const auto loss = [&](std::span<const double> x) {
        return 0.25 * term_loss(term, x, {.label_smoothing = smoothing}, 1, {}).loss;
      };
      std::vector<double> gradient(kLogits.size());
      term_loss(term, kLogits, {.label_smoothing = smoothing}, 0.25, gradient);
      expect_gradient(loss, kLogits, gradient);
    }
  }
}

TEST(LossTerms, DivergenceIsSymmetricWithItsGradients) {
  const std::vector<double> others{-0.2, 0.9, 0.5, -1.0, 1.3, 0.8};
  for (const LossTerm& term : each_kind()) {
    std::vector<double> p(kLogits.size()), q(kLogits.size());
    const double divergence = term_divergence(term, kLogits, others, 1, p, q);
    EXPECT_GT(divergence, 0);
    EXPECT_NEAR(divergence, term_divergence(term, others, kLogits, 1, {}, {}), 1e-12);
    EXPECT_EQ(term_divergence(term, kLogits, kLogits, 1, {}, {}), 0);
    expect_gradient([&](std::span<const double> x) { return term_divergence(term, x, others, 1, {}, {}); }, kLogits, p);
    expect_gradient([&](std::span<const double> x) { return term_divergence(term, kLogits, x, 1, {}, {}); }, others, q);
  }
}

TEST(LossTerms, WithoutTargetThereIsNoLoss) {
  std::vector<double> gradient(kLogits.size());
  EXPECT_EQ(term_loss({.count = 3}, kLogits, {}, 1, gradient).loss, 0);
  EXPECT_EQ(term_loss({.kind = TermKind::squared, .value = std::nan("")}, kLogits, {}, 1, gradient).loss, 0);
  EXPECT_THAT(gradient, testing::Each(0));
}

TEST(LossTerms, LargeLogitsStayFinite) {
  const std::vector<double> large{1000, -1000};
  EXPECT_EQ(term_loss({.kind = TermKind::sigmoid, .first = 1, .target = 1}, large, {}, 1, {}).loss, 1000);
  EXPECT_EQ(term_loss({.count = 2, .target = 1}, large, {}, 1, {}).loss, 2000);
  EXPECT_THAT(term_output({.count = 2}, large), testing::ElementsAre(1, 0));
}

}  // namespace
}  // namespace roformer
