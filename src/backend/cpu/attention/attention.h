// Softmax attention of the CPU backend: tiles of queries and keys with the running maximum and sum of Milakov &
// Gimelshein 2018 and Dao et al. 2022, so that memory is linear in the length. Score terms (RelativeTerms) need
// positions that rise by one in each sequence and a key head for each query head (terms.h). Shapes are those of
// Backend::attention.
#pragma once

#include "backend/backend.h"

namespace roformer {

// Unless angles are null, queries and keys are rotated while they are loaded, and values like keys if `rotate_values`;
// the inputs are not modified. With Precision::bfloat16 the factors of both products are rounded to bfloat16; sums and
// softmax are float32. `log_sum_exp` may be undefined. The bits of a query's result depend only on its sequence's keys.
void attention_forward(ThreadPool& pool, const AttentionSpec& spec, const AttentionTensors& in,
                       const RotaryAngles* query_angles, const RotaryAngles* key_angles, bool rotate_values,
                       Precision precision, const Tensor& out, const Tensor& log_sum_exp);

// Writes the gradients of q, k and v, for attention_forward without angles. With Precision::bfloat16 the factors of all
// five products are rounded to bfloat16. Adds to the tensors of `dterms`.
void attention_backward(ThreadPool& pool, const AttentionSpec& spec, const AttentionTensors& in, Precision precision,
                        const Tensor& out, const Tensor& log_sum_exp, const Tensor& dout,
                        const AttentionTensors& gradients, const RelativeTerms& dterms);

// Multiplications and additions of q·kᵀ and p·v, counted as if every query saw all keys of its sequence.
double attention_operations(const AttentionSpec& spec, const AttentionTensors& in);

}  // namespace roformer
