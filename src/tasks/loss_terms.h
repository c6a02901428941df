// The loss of every task with a head is a sum of a few kinds of terms over the logits of an example: a softmax over
// some of them with a target (a class, a tag, the start of an answer, a choice), a sigmoid of one, or a squared error.
// What a task is consists of its terms (task_inputs.h); class weights, label smoothing and R-Drop are then the same for
// all.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace roformer {

enum class TermKind : uint8_t { softmax, sigmoid, squared };

// A term over the logits at first, first + stride, … of an example, in the row-major order of its rows.
struct LossTerm {
  TermKind kind = TermKind::softmax;
  int32_t first = 0, stride = 1, count = 1;
  // Of softmax: an index below `count`; of sigmoid: 0 or 1. -1: unknown, no loss.
  int32_t target = -1;
  double value = 0;  // of squared; NaN: unknown
  double weight = 1;

  bool has_target() const;
};

struct TermOptions {
  // Szegedy et al. 2016: the target's probability is 1 - label_smoothing + label_smoothing / count, as in torch.
  double label_smoothing = 0;
};

struct TermLoss {
  double loss = 0;       // weighted, in nats, or a squared error
  bool correct = false;  // the target has the largest logit, the first on ties; of sigmoid: is on the right side of 0
};

// 0 without a target. Adds scale · gradient to `gradient`, which is empty or as long as `logits`.
TermLoss term_loss(const LossTerm& term, std::span<const double> logits, const TermOptions& options, double scale,
                   std::span<double> gradient);

// R-Drop (Liang et al. 2021): (KL(p‖q) + KL(q‖p)) / 2 of the distributions that two passes over the same example give
// for a term; of squared terms the squared difference. Gradients as above, for both.
double term_divergence(const LossTerm& term, std::span<const double> p_logits, std::span<const double> q_logits,
                       double scale, std::span<double> p_gradient, std::span<double> q_gradient);

// The probabilities of a softmax term, the probability of a sigmoid term, or the logit itself.
std::vector<double> term_output(const LossTerm& term, std::span<const double> logits);

}  // namespace roformer
