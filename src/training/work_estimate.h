// How long a training may take, before anything is measured: good to a factor of a few, to tell minutes from weeks.
#pragma once

#include <cstdint>

#include "training/pretrain_plan.h"

namespace roformer {

// Floating-point operations a second that a thread is assumed to do; CPUs with AVX2 or AVX-512 do half to twice that.
inline constexpr double kAssumedSpeed = 1e11;

// Floating-point operations of `steps` steps: 6 × parameters × tokens (Kaplan et al. 2020) of full batches. What grows
// with the square of the length is left out.
double training_operations(const PretrainOptions& options, const PretrainPlan& plan, int64_t steps);

// At kAssumedSpeed on this many threads.
double estimated_seconds(double operations, int64_t threads);

}  // namespace roformer
