#include "inference/head_scores.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace roformer {

const char* describe_head(Head head) {
  switch (head) {
    case Head::none: return "no head";
    case Head::masked_lm: return "a masked-language-model head";
    case Head::causal_lm: return "a causal-language-model head";
    case Head::sequence_classification: return "a sequence-classification head";
    case Head::token_classification: return "a token-classification head";
    case Head::question_answering: return "a question-answering head";
    case Head::multiple_choice: return "a multiple-choice head";
  }
  return "an unknown head";
}

void require_head(const Model& model, Head head) {
  if (model.config().head == head) return;
  refuse_head(model.config(),
              fmt::format("the model has {}, expected {}", describe_head(model.config().head), describe_head(head)));
}

Tensor head_logits(const Model& model, const Batch& batch, const std::stop_token& stop) {
  const Context context{.backend = model.backend(), .stop = stop};
  Tensor logits = context.backend.to_host(model.logits(context, model.trunk().forward(context, batch), batch).data);
  for (int64_t i = 0; i < logits.rows(); ++i) {
    const float* row = logits.row<float>(i);
    if (!std::all_of(row, row + logits.columns(), [](float logit) { return std::isfinite(logit); })) {
      throw DataError("the model's logits are not finite: a weight is not, or the computation overflows");
    }
  }
  return logits;
}

std::vector<double> softmax(std::vector<double> logits) {
  if (logits.empty()) return logits;
  const double largest = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (double& logit : logits) sum += logit = std::exp(logit - largest);
  for (double& logit : logits) logit /= sum;
  return logits;
}

}  // namespace roformer
