// Cases and families of operations. A case serves agreement tests, gradient checks and benchmarks. A family has the
// cases of one kernel, or of a few related ones: awkward sizes, random sizes, and those of real models for benchmarks.
// A new kernel is a family (families.cc).
#pragma once

#include <cstdlib>
#include <functional>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "backend/backend.h"
#include "tests/backend/closeness.h"
#include "tests/backend/trial.h"

namespace roformer::test {

struct Case {
  std::string sizes;  // shown when it fails
  std::function<void(Trial&)> run;
};

struct Benchmark {
  std::string sizes;
  std::function<void(Trial&)> run;  // one operation
  bool backward = true;             // has a backward, which is timed, too
};

struct Family {
  std::string name;
  Rounds rounds;
  std::vector<Case> cases = {};
  std::vector<Benchmark> benchmarks = {};
};

inline const Dropout kSomeDropout{.probability = 0.3, .stream = {.seed = 2, .stream = 77}};
constexpr Activation kActivations[] = {Activation::none, Activation::gelu, Activation::gelu_tanh,
                                       Activation::relu, Activation::silu, Activation::tanh};
inline const std::vector<int64_t> kRows = {0, 1, 2, 3, 31, 33, 130};

// Sizes drawn at random, the same for the same seed: ROFORMER_TEST_SEED, 1 by default.
class RandomSizes {
 public:
  explicit RandomSizes(uint64_t draw) : generator_({seed(), draw}) {}

  static uint64_t seed() {
    const char* const text = std::getenv("ROFORMER_TEST_SEED");
    return text == nullptr ? 1 : std::strtoull(text, nullptr, 10);
  }
  // Log-uniform: small sizes are as likely as large ones.
  int64_t between(int64_t least, int64_t most) {
    const double span = std::log(static_cast<double>(most - least + 1));
    return std::min(most, least + static_cast<int64_t>(std::exp(generator_.uniform() * span)) - 1);
  }
  bool flip() { return generator_.uniform() < 0.5; }
  template <class T>
  T one_of(std::initializer_list<T> choices) {
    return choices.begin()[static_cast<size_t>(generator_.uniform() * static_cast<double>(choices.size()))];
  }
  std::vector<int32_t> lengths(int64_t sequences, int64_t most) {
    std::vector<int32_t> result;
    for (int64_t s = 0; s < sequences; ++s) result.push_back(static_cast<int32_t>(between(0, most)));
    return result;
  }

 private:
  Generator generator_;
};

// Adds `count` cases, made by `make` from random sizes.
inline void add_random_cases(Family& family, int count, const std::function<Case(RandomSizes&)>& make) {
  for (int i = 0; i < count; ++i) {
    RandomSizes sizes(static_cast<uint64_t>(i));
    Case one = make(sizes);
    one.sizes += " (seed " + std::to_string(RandomSizes::seed()) + ", draw " + std::to_string(i) + ")";
    family.cases.push_back(std::move(one));
  }
}

// Every size up to twice the widest vector and one more, and sizes around greater powers of two.
inline std::vector<int64_t> column_sizes() {
  std::vector<int64_t> sizes(2 * 16 + 1);
  std::iota(sizes.begin(), sizes.end(), 1);
  for (const int64_t size : {63, 64, 65, 100, 256}) sizes.push_back(size);
  return sizes;
}

using RowsKernel = std::function<void(Trial&, int64_t rows, int64_t columns)>;

// `kernel` for all rows and columns of the lists above, and random ones.
inline Family sweep(std::string name, Rounds rounds, const RowsKernel& kernel) {
  Family family{std::move(name), rounds};
  const auto one = [&](int64_t rows, int64_t columns) {
    return Case{"rows " + std::to_string(rows) + ", columns " + std::to_string(columns),
                [=](Trial& trial) { kernel(trial, rows, columns); }};
  };
  for (const int64_t rows : kRows) {
    for (const int64_t columns : column_sizes()) family.cases.push_back(one(rows, columns));
  }
  add_random_cases(family, 10, [&](RandomSizes& sizes) { return one(sizes.between(1, 300), sizes.between(1, 700)); });
  return family;
}

inline std::vector<int32_t> offsets_of(const std::vector<int32_t>& lengths) {
  std::vector<int32_t> offsets = {0};
  for (const int32_t length : lengths) offsets.push_back(offsets.back() + length);
  return offsets;
}

}  // namespace roformer::test
