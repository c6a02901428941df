#include "tasks/loss_terms.h"

#include <algorithm>
#include <cmath>

namespace roformer {

namespace {

class TermLogits {
 public:
  TermLogits(const LossTerm& term, std::span<const double> logits) : term_(term), logits_(logits) {}
  double operator[](int32_t i) const { return logits_[index(i)]; }
  size_t index(int32_t i) const { return static_cast<size_t>(term_.first + i * term_.stride); }

 private:
  const LossTerm& term_;
  std::span<const double> logits_;
};

std::vector<double> log_softmax(const LossTerm& term, std::span<const double> logits) {
  const TermLogits x(term, logits);
  std::vector<double> result(static_cast<size_t>(term.count));
  double largest = x[0];
  for (int32_t i = 1; i < term.count; ++i) largest = std::max(largest, x[i]);
  double sum = 0;
  for (int32_t i = 0; i < term.count; ++i) sum += std::exp(x[i] - largest);
  for (int32_t i = 0; i < term.count; ++i) result[static_cast<size_t>(i)] = x[i] - largest - std::log(sum);
  return result;
}

// log(1 + exp(x))
double softplus(double x) { return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x))); }

double sigmoid(double x) { return x >= 0 ? 1 / (1 + std::exp(-x)) : std::exp(x) / (1 + std::exp(x)); }

TermLoss softmax_loss(const LossTerm& term, std::span<const double> logits, const TermOptions& options, double scale,
                      std::span<double> gradient) {
  const TermLogits x(term, logits);
  const std::vector<double> logs = log_softmax(term, logits);
  const double share = options.label_smoothing / term.count;
  TermLoss result{.loss = 0, .correct = true};
  for (int32_t i = 0; i < term.count; ++i) {
    const auto at = static_cast<size_t>(i);
    const double wanted = share + (i == term.target ? 1 - options.label_smoothing : 0);
    if (wanted > 0) result.loss -= term.weight * wanted * logs[at];
    if (i < term.target ? x[i] >= x[term.target] : x[i] > x[term.target]) result.correct = false;
    if (!gradient.empty()) gradient[x.index(i)] += scale * term.weight * (std::exp(logs[at]) - wanted);
  }
  return result;
}

}  // namespace

bool LossTerm::has_target() const { return kind == TermKind::squared ? !std::isnan(value) : target >= 0; }

TermLoss term_loss(const LossTerm& term, std::span<const double> logits, const TermOptions& options, double scale,
                   std::span<double> gradient) {
  if (!term.has_target()) return {};
  if (term.kind == TermKind::softmax) return softmax_loss(term, logits, options, scale, gradient);
  const auto at = static_cast<size_t>(term.first);
  const double x = logits[at];
  if (term.kind == TermKind::squared) {
    const double difference = x - term.value;
    if (!gradient.empty()) gradient[at] += scale * term.weight * 2 * difference;
    return {.loss = term.weight * difference * difference, .correct = false};
  }
  const double wanted = term.target * (1 - options.label_smoothing) + options.label_smoothing / 2;
  if (!gradient.empty()) gradient[at] += scale * term.weight * (sigmoid(x) - wanted);
  return {.loss = term.weight * (softplus(x) - wanted * x), .correct = (x > 0) == (term.target == 1)};
}

double term_divergence(const LossTerm& term, std::span<const double> p_logits, std::span<const double> q_logits,
                       double scale, std::span<double> p_gradient, std::span<double> q_gradient) {
  const auto add = [&](size_t at, double of_p, double of_q) {
    if (!p_gradient.empty()) p_gradient[at] += scale * of_p;
    if (!q_gradient.empty()) q_gradient[at] += scale * of_q;
  };
  const auto first = static_cast<size_t>(term.first);
  const double x = p_logits[first], y = q_logits[first];
  if (term.kind == TermKind::squared) {
    add(first, 2 * (x - y), 2 * (y - x));
    return (x - y) * (x - y);
  }
  if (term.kind == TermKind::sigmoid) {
    // The sum of both divergences of Bernoulli distributions is (p - q)(x - y).
    const double p = sigmoid(x), q = sigmoid(y);
    add(first, (p * (1 - p) * (x - y) + (p - q)) / 2, (q * (1 - q) * (y - x) + (q - p)) / 2);
    return (p - q) * (x - y) / 2;
  }
  const std::vector<double> p_logs = log_softmax(term, p_logits), q_logs = log_softmax(term, q_logits);
  double p_to_q = 0, q_to_p = 0;  // KL(p‖q), KL(q‖p)
  for (size_t i = 0; i < p_logs.size(); ++i) {
    p_to_q += std::exp(p_logs[i]) * (p_logs[i] - q_logs[i]);
    q_to_p += std::exp(q_logs[i]) * (q_logs[i] - p_logs[i]);
  }
  const TermLogits at(term, p_logits);
  for (size_t i = 0; i < p_logs.size(); ++i) {
    const double p = std::exp(p_logs[i]), q = std::exp(q_logs[i]), ratio = p_logs[i] - q_logs[i];
    add(at.index(static_cast<int32_t>(i)), (p * (ratio - p_to_q) + p - q) / 2, (q * (-ratio - q_to_p) + q - p) / 2);
  }
  return (p_to_q + q_to_p) / 2;
}

std::vector<double> term_output(const LossTerm& term, std::span<const double> logits) {
  const double first = logits[static_cast<size_t>(term.first)];
  if (term.kind == TermKind::squared) return {first};
  if (term.kind == TermKind::sigmoid) return {sigmoid(first)};
  std::vector<double> result = log_softmax(term, logits);
  for (double& x : result) x = std::exp(x);
  return result;
}

}  // namespace roformer
