// One harness for every backend: each kernel, over awkward sizes, must agree with the reference backend in float64
// within the tolerance its family states, and give the same bits with one, two and three threads.
// `cpu` must agree with every instruction set of this machine. A new backend is one Candidate; a new kernel is one
// family.
#include <gtest/gtest.h>

#include <hwy/highway.h>

#include <numeric>
#include <tuple>

#include "backend/backend.h"
#include "tests/backend/attention_cases.h"
#include "tests/backend/dense_cases.h"
#include "tests/backend/linear_attention_cases.h"
#include "tests/backend/trial.h"

namespace roformer::testing {
namespace {

const std::vector<Family>& families() {
  static const std::vector<Family> all = {
      sweep("memory", 1e-6, memory_kernels),
      sweep("dropout", 1e-6, dropout_kernel),
      sweep("activation_backward", 5e-6, activation_kernel),
      // The exact GELU's erf is within 3e-7 whatever its size, and here that is multiplied once more.
      sweep("gated", 5e-5, gated_kernels),
      sweep("adamw", 5e-6, adamw_kernel),
      sweep("embedding", 2e-6, embedding_kernels),
      linear_family("linear", linear_forward),
      linear_family("linear_backward", linear_backward),
      sweep("layer_norm", 2e-5,
            [](Trial& trial, int64_t rows, int64_t columns) { layer_norm_kernel(trial, rows, columns, 0, 1e-2); }),
      layer_norm_offset_family(),
      sweep("rms_norm", 2e-5, rms_norm_kernel),
      rotation_family(),
      attention_family(),
      attention_large_scores_family(),
      limited_attention_family(),
      windowed_attention_family(),
      grouped_attention_family(),
      relative_attention_family(false),
      relative_attention_family(true),
      linear_attention_family(FeatureMap::elu),
      linear_attention_family(FeatureMap::relu),
      linear_attention_family(FeatureMap::favor),
      linear_outputs_family(),
      split_linear_attention_family(),
      cross_entropy_family(),
      cross_entropy_large_logits_family(),
      pooling_family(),
  };
  return all;
}

struct Candidate {
  const char* name;
  std::unique_ptr<Backend> (*make)(ThreadPool&);
};
const Candidate kReference{"reference", [](ThreadPool& pool) { return make_reference_backend(pool); }};
const Candidate kCpu{"cpu", [](ThreadPool& pool) { return make_cpu_backend(pool); }};

std::vector<Result> results(Backend& backend, const Case& one, uint64_t seed, bool strided) {
  Trial trial(backend, seed, strided);
  one.run(trial);
  return trial.finish();
}

using Parameter = std::tuple<Candidate, size_t>;
class AgreementTest : public ::testing::TestWithParam<Parameter> {
 protected:
  std::unique_ptr<Backend> make(ThreadPool& pool) const { return std::get<0>(GetParam()).make(pool); }
  static const Family& family() { return families()[std::get<1>(GetParam())]; }

  // Calls body(case, seed, strided) for every case, until something fails.
  template <class Body>
  void for_each_case(const Body& body, std::initializer_list<bool> strides = {false, true}) {
    for (size_t i = 0; i < family().cases.size(); ++i) {
      for (const bool strided : strides) {
        const Case& one = family().cases[i];
        SCOPED_TRACE(one.sizes + (strided ? ", column ranges" : ", contiguous"));
        body(one, i, strided);
        if (HasFailure()) return;
      }
    }
  }
};

// `reference` has no threads to compare.
class ThreadsTest : public AgreementTest {};

TEST_P(AgreementTest, AgreesWithTheReferenceInFloat64) {
  ThreadPool one_thread(1), threads(2);
  const std::unique_ptr<Backend> oracle = make_reference_backend(one_thread, DType::float64), backend = make(threads);
  for_each_case([&](const Case& one, uint64_t seed, bool strided) {
    const std::vector<Result> expected = results(*oracle, one, seed, strided);
    expect_close(results(*backend, one, seed, strided), expected, family().tolerance);
  });
}

TEST_P(ThreadsTest, GiveTheSameBitsAtAnyNumber) {
  ThreadPool pool1(1), pool2(2), pool3(3);
  const std::unique_ptr<Backend> backend1 = make(pool1), backend2 = make(pool2), backend3 = make(pool3);
  for_each_case([&](const Case& one, uint64_t seed, bool strided) {
    const std::vector<Result> expected = results(*backend1, one, seed, strided);
    expect_same_bits(results(*backend2, one, seed, strided), expected);
    expect_same_bits(results(*backend3, one, seed, strided), expected);
  });
}

class InstructionSetsTest : public AgreementTest {
 protected:
  static void choose(int64_t targets) {  // 0: those of the machine
    hwy::SetSupportedTargetsForTest(targets);
    hwy::GetChosenTarget().Update(hwy::SupportedTargets());
  }
  void TearDown() override { choose(0); }
};

TEST_P(InstructionSetsTest, AllAgreeWithTheReferenceInFloat64) {
  ThreadPool one_thread(1);
  const std::unique_ptr<Backend> oracle = make_reference_backend(one_thread, DType::float64),
                                 backend = make(one_thread);
  const std::vector<int64_t> targets = hwy::SupportedAndGeneratedTargets();
  const auto check = [&](const Case& one, uint64_t seed, bool strided) {
    const std::vector<Result> expected = results(*oracle, one, seed, strided);
    for (const int64_t target : targets) {
      SCOPED_TRACE(hwy::TargetName(target));
      choose(target);
      expect_close(results(*backend, one, seed, strided), expected, family().tolerance);
    }
  };
  for_each_case(check, {true});
}

std::vector<size_t> family_indices() {
  std::vector<size_t> indices(families().size());
  std::iota(indices.begin(), indices.end(), 0);
  return indices;
}

std::string parameter_name(const ::testing::TestParamInfo<Parameter>& test) {
  return std::string(std::get<0>(test.param).name) + "_" + families()[std::get<1>(test.param)].name;
}

INSTANTIATE_TEST_SUITE_P(, AgreementTest,
                         ::testing::Combine(::testing::Values(kReference, kCpu), ::testing::ValuesIn(family_indices())),
                         parameter_name);
INSTANTIATE_TEST_SUITE_P(, InstructionSetsTest,
                         ::testing::Combine(::testing::Values(kCpu), ::testing::ValuesIn(family_indices())),
                         parameter_name);
INSTANTIATE_TEST_SUITE_P(, ThreadsTest,
                         ::testing::Combine(::testing::Values(kCpu), ::testing::ValuesIn(family_indices())),
                         parameter_name);

}  // namespace
}  // namespace roformer::testing
