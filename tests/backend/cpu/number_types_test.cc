// Products of each number type against sums in double, within rounding bounds; widened weights give the same bits as
// their float32 values.
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <tuple>
#include <vector>

#include "backend/cpu/gemm/number_types.h"
#include "backend/cpu/gemm/tile_rows.h"
#include "base/random.h"

namespace roformer {
namespace {

constexpr Precision kPrecisions[] = {Precision::float32, Precision::bfloat16, Precision::int8};

Tensor random(const Shape& shape, uint64_t seed) {
  Generator generator({seed, 0});
  const Tensor x = Tensor::allocate(shape, DType::float32);
  for (int64_t i = 0; i < x.elements(); ++i) x.data<float>()[i] = static_cast<float>(generator.normal());
  return x;
}

// x truncated to another type; float16 only for elements in its range.
Tensor stored_as(DType dtype, const Tensor& x) {
  if (dtype == DType::float32) return x;
  const Tensor result = Tensor::allocate(x.shape(), dtype);
  auto* const out = static_cast<uint16_t*>(result.raw());
  for (int64_t i = 0; i < x.elements(); ++i) {
    const auto bits = std::bit_cast<uint32_t>(x.data<float>()[i]);
    const auto exponent = static_cast<int32_t>(bits >> 23 & 0xFF) - 127 + 15;
    if (dtype == DType::bfloat16) {
      out[i] = static_cast<uint16_t>(bits >> 16);
    } else {
      out[i] = static_cast<uint16_t>(
          (bits >> 16 & 0x8000u) | (exponent > 0 ? static_cast<uint32_t>(exponent) << 10 | (bits >> 13 & 0x3FFu) : 0u));
    }
  }
  return result;
}

Tensor widen(const Tensor& x) {
  if (x.dtype() == DType::float32) return x;
  const Tensor result = Tensor::allocate(x.shape(), DType::float32);
  for (int64_t i = 0; i < x.elements(); ++i) {
    result.data<float>()[i] =
        x.dtype() == DType::bfloat16 ? widened(x.data<BFloat16>()[i]) : widened(x.data<Float16>()[i]);
  }
  return result;
}

std::vector<float> multiply(Backend& backend, const Tensor& x, const WeightView& weight, const Tensor& bias = {}) {
  const Tensor out = backend.empty({x.rows(), weight.outputs()});
  backend.linear(x, weight, bias, Activation::none, out, {});
  return {out.data<float>(), out.data<float>() + out.elements()};
}

// A weight after prepare().
struct Ready {
  Ready(Backend& backend, const Tensor& weight, PassSize passes) : rows(weight) {
    made = backend.prepare({&rows, 1}, passes).front();
  }
  WeightView view() const { return {rows, made.get(), true}; }

  Tensor rows;
  std::shared_ptr<const PreparedWeight> made;
};

// Error bound of the product of row x with row w, from the magnitudes of its terms.
double bound(const NumberTypes& numbers, const float* x, const float* w, int64_t k) {
  double terms = 0, of_x = 0, of_w = 0, largest = 0, low = 0, high = 0;
  for (int64_t i = 0; i < k; ++i) {
    terms += std::abs(static_cast<double>(x[i]) * w[i]);
    of_x += std::abs(x[i]);
    of_w += std::abs(w[i]);
    largest = std::max<double>(largest, std::abs(w[i]));
    low = std::min<double>(low, x[i]);
    high = std::max<double>(high, x[i]);
  }
  double error = static_cast<double>(k + 4) * 0x1p-24 * terms;  // of the running sum
  if (numbers.weights == Precision::bfloat16) error += 0x1p-9 * terms;
  if (numbers.products == Precision::bfloat16) error += 0x1.01p-9 * terms;
  if (numbers.weights == Precision::int8) error += largest / 127 / 2 * of_x * 1.001;
  if (numbers.products == Precision::int8) {
    const double step = (high - low) / 255;
    error += step * of_w * 1.001 + static_cast<double>(k) * step * largest / 127 / 2;
  }
  return error;
}

TEST(NumberTypes, ProductsAreWithinTheirRoundings) {
  ThreadPool pool(2);
  for (const Precision precision : kPrecisions) {
    const auto backend = make_cpu_backend(pool, precision);
    const NumberTypes numbers = choose_number_types(precision, dot_products());
    for (const auto& [n, k] : {std::pair{5, 7}, {33, 64}, {70, 1030}}) {
      for (const DType dtype : {DType::float32, DType::bfloat16, DType::float16}) {
        const Tensor weight = stored_as(dtype, random({n, k}, 1)), wide = widen(weight), bias = random({n}, 2);
        const Ready few(*backend, weight, PassSize::few_tokens), many(*backend, weight, PassSize::many_tokens);
        for (const int64_t m : {1, 3, 8, 9, 97, 300}) {
          const Tensor x = random({m, k}, 3);
          for (const WeightView& view : {WeightView(weight), few.view(), many.view()}) {
            const std::vector<float> out = multiply(*backend, x, view, bias);
            for (int64_t i = 0; i<m; i += m> 20 ? 13 : 1) {
              for (int64_t j = 0; j < n; ++j) {
                double sum = bias.data<float>()[j];
                for (int64_t l = 0; l < k; ++l) sum += static_cast<double>(x.row<float>(i)[l]) * wide.row<float>(j)[l];
                const double most = bound(numbers, x.row<float>(i), wide.row<float>(j), k) + 0x1p-22 * std::abs(sum);
                ASSERT_NEAR(out[static_cast<size_t>(i * n + j)], sum, most)
                    << precision_name(precision) << " " << dtype_name(dtype) << " " << m << "x" << n << "x" << k;
              }
            }
          }
        }
      }
    }
  }
}

TEST(NumberTypes, FewerBitsHaveAnEffect) {
  ThreadPool pool(1);
  const Tensor x = random({20, 64}, 1), weight = random({40, 64}, 2);
  const auto exact = make_cpu_backend(pool);
  for (const Precision precision : {Precision::bfloat16, Precision::int8}) {
    const auto backend = make_cpu_backend(pool, precision);
    const std::vector<float> expected = multiply(*exact, x, weight);
    EXPECT_NE(multiply(*backend, x, weight), expected) << precision_name(precision);
    EXPECT_NE(multiply(*backend, x, Ready(*backend, weight, PassSize::few_tokens).view()), expected);
    EXPECT_NE(multiply(*backend, x, Ready(*backend, weight, PassSize::many_tokens).view()), expected);
  }
}

TEST(NumberTypes, WeightsOf16BitsGiveTheBitsOfTheWidenedOnes) {
  ThreadPool pool(2);
  const auto backend = make_cpu_backend(pool);
  for (const DType dtype : {DType::bfloat16, DType::float16}) {
    ASSERT_TRUE(backend->reads_weights(dtype));
    const Tensor weight = stored_as(dtype, random({75, 515}, 4)), wide = widen(weight);
    for (const int64_t m : {1, 2, 4, 7, 8, 9, 100, 200}) {
      const Tensor x = random({m, 515}, 5);
      EXPECT_EQ(multiply(*backend, x, weight), multiply(*backend, x, wide)) << m;
      for (const PassSize passes : {PassSize::few_tokens, PassSize::many_tokens}) {
        const Ready stored(*backend, weight, passes), widened(*backend, wide, passes);
        EXPECT_EQ(multiply(*backend, x, stored.view()), multiply(*backend, x, widened.view())) << m;
      }
    }
    const std::vector<int32_t> ids{0, 74, 3, 3};
    for (const double factor : {1.0, 0.25}) {
      const Tensor one = backend->empty({4, 515}), other = backend->empty({4, 515});
      backend->embedding(weight, ids, factor, one, false);
      backend->embedding(wide, ids, factor, other, false);
      EXPECT_TRUE(std::equal(one.data<float>(), one.data<float>() + one.elements(), other.data<float>()));
    }
    const std::vector<int32_t> labels{1, 0, 70};
    const Tensor hidden = random({3, 515}, 6);
    EXPECT_EQ(backend->cross_entropy(hidden, weight, {}, {labels, 1}, {}, {}, {}).read().sum,
              backend->cross_entropy(hidden, wide, {}, {labels, 1}, {}, {}, {}).read().sum);
  }
}

TEST(NumberTypes, ThreadsDoNotShow) {
  ThreadPool one(1), three(3);
  const Tensor x = random({130, 200}, 7), weight = random({300, 200}, 8);
  for (const Precision precision : kPrecisions) {
    const auto alone = make_cpu_backend(one, precision), shared = make_cpu_backend(three, precision);
    for (const PassSize passes : {PassSize::few_tokens, PassSize::many_tokens}) {
      EXPECT_EQ(multiply(*alone, x, Ready(*alone, weight, passes).view()),
                multiply(*shared, x, Ready(*shared, weight, passes).view()));
    }
  }
}

TEST(NumberTypes, AWeightIsHeldOnceInItsType) {
  ThreadPool pool(1);
  const Tensor weight = random({64, 96}, 9);
  constexpr int64_t kNumbers = 64 * 96;
  const auto held = [&](Precision precision, const Tensor& rows, PassSize passes) {
    const auto backend = make_cpu_backend(pool, precision);
    const Ready ready(*backend, rows, passes);
    EXPECT_NE(ready.rows.defined(), ready.made != nullptr);
    return ready.made != nullptr ? ready.made->bytes() : ready.rows.bytes();
  };
  for (const PassSize passes : {PassSize::few_tokens, PassSize::many_tokens}) {
    EXPECT_EQ(held(Precision::float32, weight, passes), 4 * kNumbers);
    EXPECT_EQ(held(Precision::float32, stored_as(DType::bfloat16, weight), passes), 2 * kNumbers);
    EXPECT_EQ(held(Precision::float32, stored_as(DType::float16, weight), passes), 2 * kNumbers);
    EXPECT_EQ(held(Precision::bfloat16, weight, passes), 2 * kNumbers);
    EXPECT_EQ(held(Precision::int8, weight, passes), kNumbers + 64 * 8);  // a scale and a sum per output
  }
  const auto backend = make_cpu_backend(pool);
  EXPECT_EQ(Ready(*backend, weight, PassSize::few_tokens).rows.raw(), weight.raw());  // read in place
}

TEST(NumberTypes, WhatIsNotFiniteIsFound) {
  ThreadPool pool(1);
  for (const Precision precision : kPrecisions) {
    const auto backend = make_cpu_backend(pool, precision);
    for (const float bad : {0.0f, INFINITY, NAN}) {
      const Tensor weight = random({40, 30}, 10);
      weight.row<float>(39)[29] = bad;
      const Ready ready(*backend, weight, PassSize::many_tokens);
      EXPECT_EQ(ready.made->finite(), std::isfinite(bad)) << precision_name(precision) << " " << bad;
    }
  }
}

TEST(NumberTypes, AreWhatACpuIsFastAt) {
  using enum Precision;
  const auto same = [](const NumberTypes& a, const NumberTypes& b) {
    return std::tie(a.weights, a.products, a.gradients, a.attention) ==
           std::tie(b.weights, b.products, b.gradients, b.attention);
  };
  const DotProducts none, only_int8{false, true}, all{true, true};
  for (const DotProducts& cpu : {none, only_int8, all}) {
    EXPECT_TRUE(same(choose_number_types(float32, cpu), {float32, float32, float32, float32}));
  }
  EXPECT_TRUE(same(choose_number_types(bfloat16, none), {bfloat16, float32, float32, float32}));
  EXPECT_TRUE(same(choose_number_types(bfloat16, only_int8), {bfloat16, float32, float32, float32}));
  EXPECT_TRUE(same(choose_number_types(bfloat16, all), {bfloat16, bfloat16, bfloat16, bfloat16}));
  EXPECT_TRUE(same(choose_number_types(int8, none), {int8, float32, float32, float32}));
  EXPECT_TRUE(same(choose_number_types(int8, only_int8), {int8, int8, float32, float32}));
  EXPECT_TRUE(same(choose_number_types(int8, all), {int8, int8, float32, bfloat16}));
}

}  // namespace
}  // namespace roformer
