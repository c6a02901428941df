// Cases and families: what a kernel is run on. A case is one run at given sizes; a family is the cases of one kernel,
// or of a few that belong together, with the tolerance in which any two backends must agree.
#pragma once

#include <functional>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "backend/backend.h"
#include "tests/backend/trial.h"

namespace roformer::testing {

struct Case {
  std::string sizes;  // shown when it fails
  std::function<void(Trial&)> run;
};

struct Family {
  std::string name;
  double tolerance;  // see expect_close; float32 has 6e-8
  std::vector<Case> cases;
};

inline const Dropout kSomeDropout{.probability = 0.3, .stream = {.seed = 2, .stream = 77}};
constexpr Activation kActivations[] = {Activation::none, Activation::gelu, Activation::gelu_tanh,
                                       Activation::relu, Activation::silu, Activation::tanh};
inline const std::vector<int64_t> kRows = {0, 1, 2, 3, 31, 33, 130};

// Every size up to twice the widest vector and one more, and sizes around greater powers of two.
inline std::vector<int64_t> column_sizes() {
  std::vector<int64_t> sizes(2 * 16 + 1);
  std::iota(sizes.begin(), sizes.end(), 1);
  for (const int64_t size : {63, 64, 65, 100, 256}) sizes.push_back(size);
  return sizes;
}

// `kernel` at all rows and columns of the lists above.
inline Family sweep(std::string name, double tolerance, const std::function<void(Trial&, int64_t, int64_t)>& kernel) {
  Family family{std::move(name), tolerance, {}};
  for (const int64_t rows : kRows) {
    for (const int64_t columns : column_sizes()) {
      family.cases.push_back({"rows " + std::to_string(rows) + ", columns " + std::to_string(columns),
                              [=](Trial& trial) { kernel(trial, rows, columns); }});
    }
  }
  return family;
}

inline std::vector<int32_t> offsets_of(const std::vector<int32_t>& lengths) {
  std::vector<int32_t> offsets = {0};
  for (const int32_t length : lengths) offsets.push_back(offsets.back() + length);
  return offsets;
}

}  // namespace roformer::testing
