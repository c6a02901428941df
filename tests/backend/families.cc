#include "tests/backend/families.h"

#include "tests/backend/attention_cases.h"
#include "tests/backend/cached_attention_cases.h"
#include "tests/backend/dense_cases.h"
#include "tests/backend/linear_attention_cases.h"
#include "tests/backend/loss_cases.h"
#include "tests/backend/rotation_cases.h"

namespace roformer::test {

const std::vector<Family>& families() {
  static const std::vector<Family> all = {
      sweep("memory", Rounds::sums, memory_kernels),
      sweep("dropout", Rounds::elements, dropout_kernel),
      sweep("activation_backward", Rounds::activations, activation_kernel),
      sweep("gated", Rounds::activations, gated_kernels),
      adamw_family(),
      sweep("embedding", Rounds::sums, embedding_kernels),
      linear_family(),
      layer_norm_family(),
      rms_norm_family(),
      rotation_family(),
      attention_family(),
      limited_attention_family(),
      windowed_attention_family(),
      grouped_attention_family(),
      relative_attention_family(false),
      relative_attention_family(true),
      cached_attention_family(),
      linear_attention_family(FeatureMap::elu),
      linear_attention_family(FeatureMap::relu),
      linear_attention_family(FeatureMap::favor),
      split_linear_attention_family(),
      cross_entropy_family(),
      pooling_family(),
      log_sum_exp_family(),
  };
  return all;
}

}  // namespace roformer::test
