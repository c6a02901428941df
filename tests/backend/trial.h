// Trial: random inputs and checked outputs for one run of operations on one backend. The same seed gives the same
// inputs on every backend (all exact in float32), so results can be compared. Outputs that a kernel must write start as
// NaN. With `strided`, every tensor is a column range of a wider one whose other elements are NaN: reading one corrupts
// a result, writing one is detected by finish(). An Operation describes kernels for agreement tests, gradient checks
// and benchmarks; the creator of the trial decides which to run.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>
#include <limits>
#include <numbers>
#include <string>
#include <utility>
#include <vector>

#include "backend/backend.h"

namespace roformer::test {

inline double read(const Tensor& x, int64_t i, int64_t j) {
  return x.dtype() == DType::float64 ? x.row<double>(i)[j] : x.row<float>(i)[j];
}

inline void write(const Tensor& x, int64_t i, int64_t j, double value) {
  if (x.dtype() == DType::float64) {
    x.row<double>(i)[j] = value;
  } else {
    x.row<float>(i)[j] = static_cast<float>(value);
  }
}

// All elements, row by row; empty for an undefined tensor.
inline std::vector<double> values_of(const Tensor& x) {
  std::vector<double> all;
  for (int64_t i = 0; x.defined() && i < x.rows(); ++i) {
    for (int64_t j = 0; j < x.columns(); ++j) all.push_back(read(x, i, j));
  }
  return all;
}

inline void assign(const Tensor& x, const std::vector<double>& values) {
  ASSERT_EQ(static_cast<int64_t>(values.size()), x.elements());
  for (int64_t i = 0; i < x.rows(); ++i) {
    for (int64_t j = 0; j < x.columns(); ++j) write(x, i, j, values[i * x.columns() + j]);
  }
}

inline double dot(const Tensor& x, const Tensor& y) {
  const std::vector<double> a = values_of(x), b = values_of(y);
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

struct Result {
  std::string name;
  std::vector<double> values;
  int64_t columns = 1;  // of a row
  bool exact = false;   // an index or a count: equal on all backends
};

// A kernel and its backward.
struct Operation {
  std::function<void()> forward;
  std::function<void()> backward = {};  // may be called after `forward`
  // The gradients of `objective`, or of Σ dout · out if that is empty. Gradients that start as NaN are written, others
  // added to.
  struct Gradient {
    std::string name;
    Tensor of, gradient;
  };
  std::vector<Gradient> gradients = {};
  Tensor out = {}, dout = {};
  std::function<double()> objective = {};
  std::vector<Tensor> kept = {};     // what `forward` saves for `backward`
  std::function<void()> setup = {};  // before `forward`: resets overwritten inputs and states
  // For benchmarks: operations of products, or bytes of memory-bound kernels.
  double operations = 0, backward_operations = 0;
  int64_t bytes = 0, backward_bytes = 0;
};

// What inputs are rounded to before they are multiplied; float32: not rounded.
struct Roundings {
  Precision weights = Precision::float32, others = Precision::float32;
};

class Trial {
 public:
  Trial(Backend& backend, uint64_t seed, bool strided) : backend_(backend), state_(seed), strided_(strided) {}

  Backend& backend() { return backend_; }

  // From now on inputs, and what a forward saves for its backward, are perturbed by at most their rounding error, which
  // shows how far results of that precision may be from exact ones (closeness.h). `draw` seeds the errors.
  void disturb(const Roundings& roundings, uint64_t draw) {
    disturbed_ = true;
    roundings_ = roundings;
    noise_state_ = draw;
  }
  // Replaces running forward, then backward. Without `trains` there is no backward.
  void on_operation(std::function<void(const Operation&)> use) { use_ = std::move(use); }
  void set_trains(bool trains) { trains_ = trains; }
  bool trains() const { return trains_; }
  // If factors are rounded, any of nearly equal elements may be chosen.
  void set_exact_choices(bool exact) { exact_choices_ = exact; }

  void run(const Operation& operation) {
    if (use_) return use_(operation);
    if (operation.setup) operation.setup();
    operation.forward();
    for (size_t i = 0; disturbed_ && i < operation.kept.size(); ++i) disturb_sums(operation.kept[i], roundings_.others);
    if (operation.backward && trains_) operation.backward();
    if (operation.backward && !trains_) {
      for (const Operation::Gradient& gradient : operation.gradients) forget(gradient.gradient);
    }
  }

  // Inputs with this standard deviation: a matrix, or a vector (rank 1).
  Tensor random(int64_t rows, int64_t columns, double scale = 1, double mean = 0) {
    return randomize(unset({rows, columns}), scale, mean);
  }
  Tensor random_vector(int64_t count, double scale = 1, double mean = 0) {
    return randomize(unset({count}), scale, mean);
  }
  // A layer's weight, which some number types round more than other inputs.
  Tensor random_weight(int64_t rows, int64_t columns, double scale) {
    return randomize(unset({rows, columns}), scale, 0, true);
  }
  std::vector<int32_t> random_ids(int64_t count, int32_t below) {
    std::vector<int32_t> ids(count);
    for (int32_t& id : ids) id = static_cast<int32_t>(next() % static_cast<uint64_t>(below));
    return ids;
  }

  // A tensor that a kernel must write in full, or add to.
  Tensor output(const std::string& name, int64_t rows, int64_t columns) { return watch(name, unset({rows, columns})); }
  Tensor sum(const std::string& name, int64_t rows, int64_t columns) { return watch(name, random(rows, columns)); }
  Tensor sum_vector(const std::string& name, int64_t count) { return watch(name, random_vector(count)); }

  // Written by a kernel, but not a result.
  Tensor scratch(int64_t rows, int64_t columns) { return unset({rows, columns}); }

  Tensor watch(const std::string& name, const Tensor& x) {
    watched_.emplace_back(name, x);
    return x;
  }
  void record(const std::string& name, std::vector<double> values) {
    const auto count = static_cast<int64_t>(values.size());
    results_.push_back({name, std::move(values), count});
  }
  // Indices and counts.
  void record_exact(const std::string& name, std::vector<double> values) {
    if (!exact_choices_) return;
    record(name, std::move(values));
    results_.back().exact = true;
  }
  int64_t longest_side() const { return longest_side_; }  // of any tensor: the longest sum

  // Everything watched and recorded.
  std::vector<Result> finish() {
    for (const auto& [name, x] : watched_) results_.push_back({name, values_of(x), x.columns()});
    for (const auto& [whole, columns] : fenced_) check_fence(whole, columns);
    return std::move(results_);
  }

 private:
  static constexpr int64_t kFence = 3;  // odd, so that rows are not aligned

  Tensor unset(Shape shape) {
    const double nan = std::numeric_limits<double>::quiet_NaN();
    const int64_t columns = shape[shape.rank() - 1];
    longest_side_ = std::max({longest_side_, columns, shape[0]});
    if (strided_) {
      const int64_t wide = columns + 2 * kFence;
      shape = shape.rank() == 1 ? Shape{wide} : Shape{shape[0], wide};
    }
    const Tensor whole = backend_.empty(shape);
    for (int64_t i = 0; i < whole.rows(); ++i) {
      for (int64_t j = 0; j < whole.columns(); ++j) write(whole, i, j, nan);
    }
    if (!strided_) return whole;
    fenced_.emplace_back(whole, columns);
    return shape.rank() == 1 ? whole.row_range(kFence, columns) : whole.column_range(kFence, columns);
  }

  // splitmix64: inputs need to be fast, not good.
  uint64_t next() {
    state_ += 0x9E3779B97F4A7C15ull;
    uint64_t z = (state_ ^ (state_ >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    return z ^ (z >> 31);
  }

  // Approximately normal, within ±3.5: the sum of four uniform 16-bit numbers, of variance 4/12. Never 0, where some
  // functions have no derivative.
  double bell() {
    const uint64_t word = next();
    const uint64_t sum = (word & 0xFFFF) + (word >> 16 & 0xFFFF) + (word >> 32 & 0xFFFF) + (word >> 48);
    return ((static_cast<double>(sum) + 0.5) / 65536 - 2) * std::numbers::sqrt3;
  }

  // At most ±1.
  double noise() {
    noise_state_ = noise_state_ * 6364136223846793005ull + 1442695040888963407ull;
    return static_cast<double>(noise_state_ >> 32) / 0x1p31 - 1;
  }

  Tensor randomize(const Tensor& x, double scale, double mean, bool is_weight = false) {
    for (int64_t i = 0; i < x.rows(); ++i) {
      for (int64_t j = 0; j < x.columns(); ++j) {
        write(x, i, j, static_cast<float>(mean + scale * bell()));
      }
    }
    if (disturbed_)
      disturb(x, x.shape().rank() == 1 ? Precision::float32 : is_weight ? roundings_.weights : roundings_.others);
    return x;
  }

  // Perturbs by half a unit in the last place, or half a quantization step of the row.
  void disturb(const Tensor& x, Precision precision) {
    const double unit = unit_of(precision);
    for (int64_t i = 0; i < x.rows(); ++i) {
      double largest = 0;
      for (int64_t j = 0; j < x.columns(); ++j) largest = std::max(largest, std::abs(read(x, i, j)));
      for (int64_t j = 0; j < x.columns(); ++j) {
        const double value = read(x, i, j), size = precision == Precision::int8 ? largest : std::abs(value);
        write(x, i, j, value + noise() * unit * size);
      }
    }
  }
  // Perturbs by the rounding of sums, at least that of elements of typical size.
  void disturb_sums(const Tensor& x, Precision precision) {
    const double unit = unit_of(precision);
    double squares = 0;
    int64_t count = 0;
    for (const double value : values_of(x)) {
      if (!std::isfinite(value)) continue;
      squares += value * value;
      ++count;
    }
    const double typical = std::sqrt(squares / static_cast<double>(std::max<int64_t>(1, count)));
    for (int64_t i = 0; i < x.rows(); ++i) {
      for (int64_t j = 0; j < x.columns(); ++j) {
        const double value = read(x, i, j);
        if (std::isfinite(value)) write(x, i, j, value + noise() * unit * std::max(typical, std::abs(value)));
      }
    }
  }
  static double unit_of(Precision precision) {
    return precision == Precision::float32 ? 0x1p-24 : precision == Precision::bfloat16 ? 0x1p-9 : 0.5 / 127;
  }

  void forget(const Tensor& x) {
    std::erase_if(watched_, [&](const auto& watched) { return x.elements() > 0 && watched.second.raw() == x.raw(); });
  }

  static void check_fence(const Tensor& whole, int64_t columns) {
    int64_t overwritten = 0;
    for (int64_t i = 0; i < whole.rows(); ++i) {
      for (int64_t j = 0; j < whole.columns(); ++j) {
        const bool inside = j >= kFence && j < kFence + columns;
        if (!inside && !std::isnan(read(whole, i, j))) ++overwritten;
      }
    }
    EXPECT_EQ(overwritten, 0) << "elements beside a column range of " << columns << " were written";
  }

  Backend& backend_;
  uint64_t state_, noise_state_ = 0;  // noise_state_ is set by disturb()
  bool strided_, disturbed_ = false, trains_ = true, exact_choices_ = true;
  Roundings roundings_;
  int64_t longest_side_ = 1;
  std::function<void(const Operation&)> use_;
  std::vector<std::pair<std::string, Tensor>> watched_;
  std::vector<std::pair<Tensor, int64_t>> fenced_;
  std::vector<Result> results_;
};

// Within tolerance · (|expected| + max(0.1, the root mean square of all expected values)).
inline void expect_close(const std::vector<Result>& actual, const std::vector<Result>& expected, double tolerance) {
  ASSERT_EQ(actual.size(), expected.size());
  for (size_t n = 0; n < expected.size(); ++n) {
    ASSERT_EQ(actual[n].values.size(), expected[n].values.size()) << expected[n].name;
    double squares = 0;
    for (const double value : expected[n].values) squares += value * value;
    const double typical = std::sqrt(squares / static_cast<double>(std::max<size_t>(1, expected[n].values.size())));
    for (size_t i = 0; i < expected[n].values.size(); ++i) {
      const double want = expected[n].values[i], got = actual[n].values[i];
      ASSERT_TRUE(std::isfinite(want)) << expected[n].name << ", element " << i;
      ASSERT_LE(std::abs(got - want), tolerance * (std::abs(want) + std::max(0.1, typical)))
          << expected[n].name << ", element " << i << ": " << got << ", expected " << want;
      ASSERT_TRUE(std::isfinite(got)) << expected[n].name << ", element " << i;
    }
  }
}

inline void expect_same_bits(const std::vector<Result>& actual, const std::vector<Result>& expected) {
  ASSERT_EQ(actual.size(), expected.size());
  for (size_t n = 0; n < expected.size(); ++n) {
    ASSERT_EQ(actual[n].values.size(), expected[n].values.size()) << expected[n].name;
    for (size_t i = 0; i < expected[n].values.size(); ++i) {
      ASSERT_EQ(std::bit_cast<uint64_t>(actual[n].values[i]), std::bit_cast<uint64_t>(expected[n].values[i]))
          << expected[n].name << ", element " << i << ": " << actual[n].values[i] << " and " << expected[n].values[i];
    }
  }
}

}  // namespace roformer::test
