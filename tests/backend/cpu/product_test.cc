#include "backend/cpu/gemm/product.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <vector>

#include "backend/cpu/gemm/tile_emulated.h"
#include "backend/cpu/gemm/tile_native.h"
#include "backend/cpu/simd.h"
#include "base/error.h"
#include "base/random.h"

namespace roformer {
namespace {

std::vector<float> numbers(int64_t count, uint64_t seed) {
  Generator generator({seed, 0});
  std::vector<float> x(static_cast<size_t>(count));
  for (float& v : x) v = static_cast<float>(generator.normal());
  return x;
}

float rounded(float x, Precision precision) {
  if (precision == Precision::float32) return x;
  uint16_t upper;
  tile::to_bfloat16(&x, &upper, 1);
  return std::bit_cast<float>(static_cast<uint32_t>(upper) << 16);
}

struct Sizes {
  int64_t m, n, k;
};
// Around tiles of 12 rows, panels of 32 columns, blocks of 96 rows, chunks of 1,024, and the size from which packed b
// is shared.
const Sizes kSizes[] = {{1, 1, 1},      {3, 33, 2},    {12, 32, 7},     {13, 31, 64},    {97, 65, 1024},
                        {191, 5, 1025}, {192, 40, 33}, {200, 64, 1027}, {300, 96, 2100}, {25, 300, 3}};

class ProductTest : public ::testing::TestWithParam<Precision> {};

TEST_P(ProductTest, IsTheSumOfProductsHoweverItsFactorsAreStored) {
  ThreadPool pool(2);
  const auto backend = make_cpu_backend(pool);
  for (const auto& [m, n, k] : kSizes) {
    for (const bool a_transposed : {false, true}) {
      for (const bool b_transposed : {false, true}) {
        const int64_t a_stride = (a_transposed ? m : k) + 3, b_stride = (b_transposed ? k : n) + 5, c_stride = n + 2;
        const auto a = numbers((a_transposed ? k : m) * a_stride, 1), b = numbers((b_transposed ? n : k) * b_stride, 2);
        for (const bool accumulate : {false, true}) {
          std::vector<float> c(static_cast<size_t>(m * c_stride), 0.5f);
          const Matrix lhs{a.data(), a_stride, a_transposed}, right{b.data(), b_stride, b_transposed};
          multiply(*backend, GetParam(), m, n, k, lhs, right,
                   {.accumulate = accumulate, .out = c.data(), .out_stride = c_stride});
          for (int64_t i = 0; i<m; i += m> 30 ? 7 : 1) {
            for (int64_t j = 0; j<c_stride; j += n> 40 && j < n - 1 ? 3 : 1) {
              double sum = j >= n || accumulate ? 0.5 : 0;
              for (int64_t l = 0; j < n && l < k; ++l) {
                const float x = a[static_cast<size_t>(a_transposed ? l * a_stride + i : i * a_stride + l)];
                const float y = b[static_cast<size_t>(b_transposed ? j * b_stride + l : l * b_stride + j)];
                sum += static_cast<double>(rounded(x, GetParam())) * rounded(y, GetParam());
              }
              const double tolerance = j < n ? 2e-6 * std::sqrt(static_cast<double>(k)) * 4 : 0;
              ASSERT_NEAR(c[static_cast<size_t>(i * c_stride + j)], sum, tolerance)
                  << m << "x" << n << "x" << k << " at " << i << "," << j;
            }
          }
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Precisions, ProductTest, ::testing::Values(Precision::float32, Precision::bfloat16),
                         [](const auto& one) { return one.param == Precision::float32 ? "float32" : "bfloat16"; });

TEST(Int8, DotProductsAreExactOnEveryMachine) {
  Generator generator({3, 0});
  for (const int64_t depth : {4, 64, 1000, 65536}) {
    const int64_t most = depth > 1000 ? tile::kTileRows : tile::rows_of(Precision::int8);
    std::vector<uint8_t> a(static_cast<size_t>(most * depth));
    std::vector<int8_t> panel(static_cast<size_t>(tile::kPanel * depth));
    for (uint8_t& x : a) x = static_cast<uint8_t>(depth > 1000 ? 255 : generator.below(256));
    for (int8_t& x : panel) x = static_cast<int8_t>(depth > 1000 ? 127 : static_cast<int>(generator.below(255)) - 127);
    for (int64_t rows = 1; rows <= most; ++rows) {
      std::vector<int32_t> here(static_cast<size_t>(rows * tile::kPanel)), emulated = here;
      tile::multiply(a.data(), depth, rows, depth, panel.data(), here.data());
      tile::multiply_emulated(a.data(), depth, rows, depth, panel.data(), emulated.data());
      ASSERT_EQ(here, emulated);
      if (simd::has_avx_vnni()) {
        std::vector<int32_t> narrow(here.size());
        tile::multiply_avx_vnni(a.data(), depth, rows, depth, panel.data(), narrow.data(), {});
        ASSERT_EQ(narrow, emulated);
      }
      for (int64_t i = 0; i < rows; ++i) {
        for (int64_t c = 0; c < tile::kPanel; c += 31) {
          int64_t sum = 0;
          for (int64_t k = 0; k < depth; ++k) {
            sum += a[static_cast<size_t>(i * depth + k)] *
                   panel[static_cast<size_t>((k / 4 * tile::kPanel + c) * 4 + k % 4)];
          }
          ASSERT_EQ(here[static_cast<size_t>(i * tile::kPanel + c)], sum);
        }
      }
    }
  }
}

TEST(Int8, ProductsAreNearThoseOfFloats) {
  ThreadPool pool(2);
  const auto backend = make_cpu_backend(pool);
  for (const auto& [m, n, k] : kSizes) {
    const auto a = numbers(m * k, 4), weights = numbers(n * k, 5);
    const PackedMatrix packed(pool, backend->zeros({PackedMatrix::floats(Precision::int8, k, n)}), Precision::int8,
                              {weights.data(), k, true}, k, n);
    LhsBuffer buffer;
    std::vector<float> out(static_cast<size_t>(m * n));
    multiply_panels(buffer.of(Precision::int8, {a.data(), k}, m, k), m, packed, 0, packed.panels(),
                    {.out = out.data(), .out_stride = n});
    for (int64_t i = 0; i<m; i += m> 30 ? 11 : 1) {
      for (int64_t j = 0; j<n; j += n> 30 ? 7 : 1) {
        double sum = 0;
        for (int64_t l = 0; l < k; ++l) {
          sum += static_cast<double>(a[static_cast<size_t>(i * k + l)]) * weights[static_cast<size_t>(j * k + l)];
        }
        // Each factor is off by at most half a step of about 3·deviation/127.
        ASSERT_NEAR(out[static_cast<size_t>(i * n + j)], sum, 0.06 * std::sqrt(static_cast<double>(k)) + 0.03);
      }
    }
  }
}

TEST(Int8, RowsKeepWhatCannotBeRounded) {
  std::vector<uint8_t> out(3);
  const std::vector<float> zeros(3, 0.0f), tiny(3, 1e-44f);
  EXPECT_EQ(tile::quantize(zeros.data(), out.data(), 3).scale, 0);
  EXPECT_EQ(tile::quantize(tiny.data(), out.data(), 3).scale, 0);
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    for (const size_t place : {size_t{0}, size_t{20}, size_t{39}}) {
      std::vector<float> x(40, 1.0f);
      x[place] = bad;
      std::vector<uint8_t> row(40);
      std::vector<int8_t> column(40);
      int32_t sum = 0;
      EXPECT_TRUE(std::isnan(tile::quantize(x.data(), row.data(), 40).scale));
      EXPECT_TRUE(std::isnan(tile::quantize_weights(x.data(), column.data(), 40, sum)));
    }
  }
  const std::vector<float> x{-1.0f, 0.0f, 3.0f};
  const tile::RowScale scale = tile::quantize(x.data(), out.data(), 3);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_NEAR(scale.scale * static_cast<float>(out[i] - scale.zero), x[i], scale.scale / 2 + 1e-6f);
  }
  EXPECT_EQ(scale.scale * static_cast<float>(out[1] - scale.zero), 0.0f);
}

TEST(Int8, DepthsBeyondTheSumsAreRefused) {
  ThreadPool pool(1);
  const auto backend = make_cpu_backend(pool);
  const std::vector<float> weights(65537, 0.0f);
  const Tensor memory = backend->zeros({PackedMatrix::floats(Precision::int8, 65537, 1)});
  EXPECT_THROW(PackedMatrix(pool, memory, Precision::int8, {weights.data(), 65537, true}, 65537, 1), DataError);
}

TEST(Bfloat16, RoundsToNearestEven) {
  const float x[] = {1.0f,
                     std::bit_cast<float>(0x3F808000u),  // halfway, down to even
                     std::bit_cast<float>(0x3F818000u),  // halfway, up to even
                     std::bit_cast<float>(0x3F808001u),  // above halfway
                     -std::numeric_limits<float>::infinity(),
                     std::bit_cast<float>(0x7F800001u)};  // NaN, which must not become infinite
  uint16_t out[6];
  tile::to_bfloat16(x, out, 6);
  EXPECT_EQ(out[0], 0x3F80);
  EXPECT_EQ(out[1], 0x3F80);
  EXPECT_EQ(out[2], 0x3F82);
  EXPECT_EQ(out[3], 0x3F81);
  EXPECT_EQ(out[4], 0xFF80);
  EXPECT_TRUE(std::isnan(std::bit_cast<float>(static_cast<uint32_t>(out[5]) << 16)));
}

// Of any count, with the instructions that this CPU has and without.
TEST(Bfloat16, PairsAreRoundedLikeRows) {
  for (int64_t n = 1; n <= 70; ++n) {
    const auto first = numbers(n, 8), second = numbers(n, 9);
    std::vector<uint16_t> pairs(static_cast<size_t>(2 * n) + 1, 0xABCD), low(static_cast<size_t>(n) + 1, 0xABCD),
        high = low;
    tile::pair_bfloat16(first.data(), second.data(), pairs.data(), n);
    tile::to_bfloat16(first.data(), low.data(), n);
    tile::to_bfloat16(second.data(), high.data(), n);
    for (int64_t i = 0; i < n; ++i) {
      const auto at = static_cast<size_t>(i);
      uint16_t alone = 0;
      tile::to_bfloat16(&first[at], &alone, 1);
      ASSERT_EQ(low[at], alone);
      ASSERT_EQ(low[at],
                (std::bit_cast<uint32_t>(first[at]) + 0x7FFFu + (std::bit_cast<uint32_t>(first[at]) >> 16 & 1)) >> 16);
      ASSERT_EQ(pairs[2 * at], low[at]);
      ASSERT_EQ(pairs[2 * at + 1], high[at]);
    }
    ASSERT_EQ(pairs.back(), 0xABCD);
    ASSERT_EQ(low.back(), 0xABCD);
    tile::pair_bfloat16(first.data(), nullptr, pairs.data(), n);
    for (int64_t i = 0; i < n; ++i) ASSERT_EQ(pairs[static_cast<size_t>(2 * i) + 1], 0);
  }
}

TEST(Bfloat16, EmulatedSumsAreNearTheInstructions) {
  for (const int64_t depth : {2, 64, 1000}) {
    const int64_t most = tile::rows_of(Precision::bfloat16);
    const auto floats = numbers((most + tile::kPanel) * depth, 6);
    std::vector<uint16_t> factors(floats.size());
    tile::to_bfloat16(floats.data(), factors.data(), static_cast<int64_t>(floats.size()));
    const uint16_t* panel = factors.data() + most * depth;
    for (const int64_t stride : {depth, int64_t{0}}) {
      if (stride == 0 && tile::in_tile_registers(Precision::bfloat16)) continue;
      for (int64_t rows = 1; rows <= most; ++rows) {
        std::vector<float> here(static_cast<size_t>(rows * tile::kPanel)), emulated = here;
        tile::multiply(factors.data(), stride, rows, depth, panel, here.data());
        tile::multiply_emulated(factors.data(), stride, rows, depth, panel, emulated.data());
        for (size_t i = 0; i < here.size(); ++i) ASSERT_NEAR(here[i], emulated[i], 1e-4);
      }
    }
  }
}

// Calls of all counts of rows, whose last rows are the same.
template <class A, class B, class Sum>
void expect_rows_alone_to_be_the_same(Precision precision, const std::vector<A>& a, const std::vector<B>& panel,
                                      int64_t depth) {
  const int64_t most = tile::rows_of(precision);
  std::vector<Sum> together(static_cast<size_t>(most * tile::kPanel));
  tile::multiply(a.data(), depth, most, depth, panel.data(), together.data());
  for (int64_t first = 0; first < most; ++first) {
    std::vector<Sum> some(static_cast<size_t>((most - first) * tile::kPanel));
    tile::multiply(a.data() + first * depth, depth, most - first, depth, panel.data(), some.data());
    ASSERT_TRUE(std::equal(some.begin(), some.end(), together.begin() + first * tile::kPanel)) << depth << " " << first;
  }
}

TEST(Tiles, ARowDoesNotDependOnTheOthers) {
  for (const int64_t depth : {4, 60, 64, 1000}) {
    const auto floats = numbers((tile::kMaxTileRows + tile::kPanel) * depth, 7);
    const auto middle = floats.begin() + tile::kMaxTileRows * depth;
    const std::vector<float> a(floats.begin(), middle), b(middle, floats.end());
    expect_rows_alone_to_be_the_same<float, float, float>(Precision::float32, a, b, depth);
    std::vector<uint16_t> a_halves(a.size()), b_halves(b.size());
    tile::to_bfloat16(a.data(), a_halves.data(), std::ssize(a));
    tile::to_bfloat16(b.data(), b_halves.data(), std::ssize(b));
    expect_rows_alone_to_be_the_same<uint16_t, uint16_t, float>(Precision::bfloat16, a_halves, b_halves, depth);
    std::vector<uint8_t> a_bytes(a.size());
    std::vector<int8_t> b_bytes(b.size());
    std::transform(a.begin(), a.end(), a_bytes.begin(), [](float x) { return static_cast<uint8_t>(128 + 20 * x); });
    std::transform(b.begin(), b.end(), b_bytes.begin(), [](float x) { return static_cast<int8_t>(20 * x); });
    expect_rows_alone_to_be_the_same<uint8_t, int8_t, int32_t>(Precision::int8, a_bytes, b_bytes, depth);
  }
}

// Another library may use the tile registers of the thread that computes with ours.
TEST(Tiles, RegistersThatOthersReleasedAreShapedAgain) {
  if (!simd::has_amx()) GTEST_SKIP() << "this CPU has no AMX";
  constexpr int64_t kDepth = 64;
  const std::vector<uint8_t> a(static_cast<size_t>(tile::kMaxTileRows * kDepth), 3);
  const std::vector<int8_t> panel(static_cast<size_t>(tile::kPanel * kDepth), -2);
  std::vector<int32_t> sums(static_cast<size_t>(tile::kMaxTileRows * tile::kPanel));
  for (const int64_t rows : {96, 96, 5, 96}) {
    std::fill(sums.begin(), sums.end(), 0);
    __asm__ volatile(".byte 0xc4, 0xe2, 0x78, 0x49, 0xc0");  // TILERELEASE
    tile::multiply(a.data(), kDepth, rows, kDepth, panel.data(), sums.data());
    EXPECT_EQ(std::count(sums.begin(), sums.end(), -6 * kDepth), rows * tile::kPanel);
  }
}

}  // namespace
}  // namespace roformer
