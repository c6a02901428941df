#include "inference/head_scores.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace roformer {

Tensor head_logits(const Model& model, const Batch& batch) {
  const Context context{model.backend(), nullptr, {}, false};
  Tensor logits = context.backend.to_host(model.logits(context, model.encoder().forward(context, batch), batch).data);
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
