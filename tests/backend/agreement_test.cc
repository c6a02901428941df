// Every operation of every backend, over awkward and random sizes, must agree with the reference backend in float64
// within rounding errors (closeness.h), and give the same bits with one, two and three threads. `cpu` must agree with
// every instruction set of this machine, in every number type: bfloat16 and int8 within their own rounding errors. A
// new backend or type is a Candidate; a new kernel is a family (families.cc). ROFORMER_SHOW_ERRORS=1 prints the largest
// error as a fraction of the bound; ROFORMER_TEST_SEED=N draws other random sizes.
#include <gtest/gtest.h>

#include <hwy/highway.h>

#include <cstdlib>
#include <iostream>
#include <map>
#include <memory>
#include <numeric>
#include <tuple>

#include "backend/backend.h"
#include "backend/cpu/gemm/number_types.h"
#include "backend/cpu/simd.h"
#include "tests/backend/families.h"

namespace roformer::test {
namespace {

struct Candidate {
  const char* name;
  std::unique_ptr<Backend> (*make)(ThreadPool&);
  bool has_targets = true;  // instruction sets
};

// Candidates of the same precision.
struct Candidates {
  Precision precision;
  std::vector<Candidate> backends;
};
const std::vector<Candidates> kCandidates = {
    {Precision::float32,
     {{"reference", [](ThreadPool& pool) { return make_reference_backend(pool); }, false},
      {"cpu", [](ThreadPool& pool) { return make_cpu_backend(pool); }}}},
    {Precision::bfloat16, {{"cpu", [](ThreadPool& pool) { return make_cpu_backend(pool, Precision::bfloat16); }}}},
    {Precision::int8, {{"cpu", [](ThreadPool& pool) { return make_cpu_backend(pool, Precision::int8); }}}},
};

// How a candidate rounds a family's inputs.
Roundings roundings_of(Precision precision, const Family& family) {
  simd::apply_limit();
  const NumberTypes numbers = choose_number_types(precision, dot_products());
  if (family.rounds == Rounds::attention) return {numbers.attention, numbers.attention};
  if (family.rounds == Rounds::products) return {numbers.weights, numbers.products};
  return {};
}

bool rounds_factors(const Roundings& roundings) {
  return roundings.weights != Precision::float32 || roundings.others != Precision::float32;
}

using Parameter = std::tuple<size_t, size_t>;  // indices into kCandidates and families()

class OperatorTest : public ::testing::TestWithParam<Parameter> {
 protected:
  static const Candidates& candidates() { return kCandidates[std::get<0>(GetParam())]; }
  static const Family& family() { return families()[std::get<1>(GetParam())]; }

  // One run of a case.
  struct Run {
    std::vector<Result> results;
    int64_t longest_side;
  };
  Run run(Backend& backend, size_t index, bool strided, const Roundings* disturbance = nullptr,
          uint64_t draw = 0) const {
    Trial trial(backend, index, strided);
    trial.set_trains(candidates().precision != Precision::int8);
    trial.set_exact_choices(!rounds_factors(roundings_));
    if (disturbance != nullptr) trial.disturb(*disturbance, draw);
    family().cases[index].run(trial);
    return {trial.finish(), trial.longest_side()};
  }

  // Float64 results, with bounds from the roundings of float32 and of a type's factors.
  Exact exact(Backend& oracle, size_t index) const {
    Run run_exactly = run(oracle, index, false);
    size_t numbers = 0;
    for (const Result& result : run_exactly.results) numbers += result.values.size();
    Exact exact = exact_of(std::move(run_exactly.results));
    const auto allow = [&](const Roundings& roundings, int64_t in_turn) {
      std::vector<std::vector<Result>> disturbed;
      const uint64_t draws = numbers < 3000 ? 8 : 4;  // few values need more draws for a typical error
      for (uint64_t draw = 1; draw <= draws; ++draw) {
        disturbed.push_back(run(oracle, index, false, &roundings, draw).results);
      }
      allow_roundings(exact, disturbed, in_turn);
    };
    allow({}, roundings_in_turn(family().rounds, run_exactly.longest_side));
    if (rounds_factors(roundings_)) allow(roundings_, 1);
    return exact;
  }

  // Calls body(index) for every case, until something fails.
  template <class Body>
  void for_each_case(const Body& body) {
    for (size_t i = 0; i < family().cases.size() && !HasFailure(); ++i) {
      SCOPED_TRACE(family().cases[i].sizes);
      body(i);
    }
  }
  static void choose(int64_t targets) {  // 0: all of this machine
    hwy::SetSupportedTargetsForTest(targets);
    hwy::GetChosenTarget().Update(hwy::SupportedTargets());
  }
  void TearDown() override { choose(0); }

  const Roundings roundings_ = roundings_of(candidates().precision, family());
};

using AgreementTest = OperatorTest;
using ThreadsTest = OperatorTest;

TEST_P(AgreementTest, WithTheReferenceInFloat64) {
  ThreadPool one_thread(1), threads(2);
  const std::unique_ptr<Backend> oracle = make_reference_backend(one_thread, DType::float64);
  std::vector<std::unique_ptr<Backend>> backends;
  for (const Candidate& candidate : candidates().backends) backends.push_back(candidate.make(threads));
  std::map<std::string, double> worst;
  for_each_case([&](size_t i) {
    const Exact expected = exact(*oracle, i);
    for (size_t n = 0; n < backends.size(); ++n) {
      const Candidate& candidate = candidates().backends[n];
      const auto compare = [&](bool strided, int64_t target) {
        const std::string name =
            std::string(candidate.name) + (target == 0 ? "" : std::string(" ") + hwy::TargetName(target));
        SCOPED_TRACE(name + (strided ? ", column ranges" : ", contiguous"));
        choose(target);
        worst[name] = std::max(worst[name], expect_within_roundings(run(*backends[n], i, strided).results, expected));
        choose(0);
      };
      compare(false, 0);
      if (!candidate.has_targets) {
        compare(true, 0);
        continue;
      }
      for (const int64_t target : hwy::SupportedAndGeneratedTargets()) compare(true, target);
    }
  });
  if (std::getenv("ROFORMER_SHOW_ERRORS") == nullptr) return;
  for (const auto& [name, most] : worst) {
    std::cout << family().name << ", " << precision_name(candidates().precision) << ", " << name << ": at most " << most
              << " of what roundings allow\n";
  }
}

TEST_P(ThreadsTest, GiveTheSameBitsAtAnyNumber) {
  ThreadPool pool1(1), pool2(2), pool3(3), pool64(64, 2);
  for (const Candidate& candidate : candidates().backends) {
    if (!candidate.has_targets) continue;  // `reference` has no threads
    const std::unique_ptr<Backend> one = candidate.make(pool1), two = candidate.make(pool2),
                                   three = candidate.make(pool3), many = candidate.make(pool64);
    for_each_case([&](size_t i) {
      for (const bool strided : {false, true}) {
        const std::vector<Result> expected = run(*one, i, strided).results;
        expect_same_bits(run(*two, i, strided).results, expected);
        expect_same_bits(run(*three, i, strided).results, expected);
        expect_same_bits(run(*many, i, strided).results, expected);
      }
    });
  }
}

// All families in float32, those with products in the other types as well.
std::vector<Parameter> parameters() {
  std::vector<Parameter> all;
  for (size_t n = 0; n < kCandidates.size(); ++n) {
    for (size_t i = 0; i < families().size(); ++i) {
      const Rounds rounds = families()[i].rounds;
      if (n == 0 || rounds == Rounds::products || rounds == Rounds::attention) all.emplace_back(n, i);
    }
  }
  return all;
}

std::string parameter_name(const ::testing::TestParamInfo<Parameter>& test) {
  const auto [candidates, family] = test.param;
  return std::string(precision_name(kCandidates[candidates].precision)) + "_" + families()[family].name;
}

INSTANTIATE_TEST_SUITE_P(, AgreementTest, ::testing::ValuesIn(parameters()), parameter_name);
INSTANTIATE_TEST_SUITE_P(, ThreadsTest, ::testing::ValuesIn(parameters()), parameter_name);

}  // namespace
}  // namespace roformer::test
