// Attention of the CPU backend beyond the agreement tests: rotation while loading, bfloat16, and bits of a query that
// depend only on its sequence's keys.
#include "backend/cpu/attention/attention.h"

#include <gtest/gtest.h>

#include <numeric>

#include "backend/backend.h"
#include "tests/backend/attention_cases.h"
#include "tests/backend/trial.h"

namespace roformer::test {
namespace {

struct Shapes {
  std::vector<int32_t> query_lengths, key_lengths;
  int64_t heads = 2, dim = 64, value_dim = 64;
};

// The inputs and results of an attention.
class Attention {
 public:
  Attention(ThreadPool& pool, const Shapes& shapes, uint64_t seed = 1)
      : pool_(pool), backend_(make_cpu_backend(pool)), trial_(*backend_, seed, true), shapes_(shapes) {
    query_offsets_ = offsets_of(shapes.query_lengths);
    key_offsets_ = offsets_of(shapes.key_lengths);
    spec = {.heads = shapes.heads,
            .scale = 1 / std::sqrt(static_cast<double>(shapes.dim)),
            .query_offsets = query_offsets_,
            .key_offsets = key_offsets_};
    in = {trial_.random(queries(), shapes.heads * shapes.dim), trial_.random(keys(), shapes.heads * shapes.dim),
          trial_.random(keys(), shapes.heads * shapes.value_dim)};
  }

  int64_t queries() const { return query_offsets_.back(); }
  int64_t keys() const { return key_offsets_.back(); }
  Trial& trial() { return trial_; }
  Backend& backend() { return *backend_; }

  RotaryAngles angles(const Rotary& rotary, int64_t tokens) {
    return backend_->rotary_angles(rotary, trial_.random_ids(tokens, 5000));
  }
  std::vector<double> forward(Precision precision, const RotaryAngles* query_angles = nullptr,
                              const RotaryAngles* key_angles = nullptr, bool rotate_values = false) {
    const Tensor out = trial_.output("out", queries(), shapes_.heads * shapes_.value_dim);
    attention_forward(pool_, spec, in, query_angles, key_angles, rotate_values, precision, out, Tensor());
    trial_.finish();  // nothing outside outputs was written
    return values_of(out);
  }

  AttentionSpec spec;
  AttentionTensors in;

 private:
  ThreadPool& pool_;
  std::unique_ptr<Backend> backend_;
  Trial trial_;
  Shapes shapes_;
  std::vector<int32_t> query_offsets_, key_offsets_;
};

double largest_difference(const std::vector<double>& a, const std::vector<double>& b) {
  double most = a.size() == b.size() ? 0 : std::numeric_limits<double>::infinity();
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    most = std::isnan(a[i] - b[i]) ? std::numeric_limits<double>::infinity() : std::max(most, std::abs(a[i] - b[i]));
  }
  return most;
}

TEST(AttentionTest, RotatesWhileLoadingAsRotateDoes) {
  ThreadPool pool(2);
  for (const RotaryLayout layout : {RotaryLayout::adjacent, RotaryLayout::half}) {
    for (const auto& [dim, rotary_dim, value_dim] :
         {std::tuple{64, 64, 64}, {64, 16, 64}, {24, 24, 40}, {80, 34, 80}, {6, 2, 2}}) {
      for (const bool rotate_values : {false, true}) {
        SCOPED_TRACE(std::string(rotary_layout_name(layout)) + ", head size " + std::to_string(dim) + ", dimension " +
                     std::to_string(rotary_dim) + (rotate_values ? ", values, too" : ""));
        Attention one(pool, {{1, 17, 0, 40}, {3, 17, 5, 270}, 2, dim, value_dim});
        const Rotary rotary{rotary_dim, layout, 1000};
        const RotaryAngles query_angles = one.angles(rotary, one.queries()),
                           key_angles = one.angles(rotary, one.keys());
        const bool values = rotate_values && value_dim >= rotary_dim;
        const std::vector<double> before = values_of(one.in.q);
        const auto rotated = one.forward(Precision::float32, &query_angles, &key_angles, values);
        const auto only_queries = one.forward(Precision::float32, &query_angles);
        const auto rounded = one.forward(Precision::bfloat16, &query_angles, &key_angles, values);
        EXPECT_EQ(values_of(one.in.q), before);
        one.backend().rotate(one.in.q, 2, query_angles, false);
        EXPECT_LE(largest_difference(only_queries, one.forward(Precision::float32)), 1e-5);
        one.backend().rotate(one.in.k, 2, key_angles, false);
        if (values) one.backend().rotate(one.in.v, 2, key_angles, false);
        EXPECT_LE(largest_difference(rotated, one.forward(Precision::float32)), 1e-5);
        EXPECT_LE(largest_difference(rounded, one.forward(Precision::bfloat16)), 0.02);
      }
    }
  }
}

// Each sequence alone, and its first queries alone, to the bit.
TEST(AttentionTest, AQueryDependsOnItsSequencesKeysOnly) {
  ThreadPool pool(2);
  const std::vector<int32_t> lengths = {1, 14, 33, 64, 65, 257, 700};
  for (const Precision precision : {Precision::float32, Precision::bfloat16}) {
    Attention together(pool, {lengths, lengths, 3, 24, 40});
    const std::vector<double> all = together.forward(precision);
    int64_t first = 0;
    for (const int32_t length : lengths) {
      for (const int32_t queries : {length, (length + 2) / 3}) {
        Attention alone(pool, {{queries}, {length}, 3, 24, 40});
        alone.in = {together.in.q.row_range(first, queries), together.in.k.row_range(first, length),
                    together.in.v.row_range(first, length)};
        const std::vector<double> own = alone.forward(precision);
        EXPECT_EQ(own, std::vector<double>(all.begin() + first * 120, all.begin() + (first + queries) * 120))
            << queries << " of " << length;
      }
      first += length;
    }
  }
}

TEST(AttentionTest, AnythingButANumberStaysOne) {
  ThreadPool pool(1);
  for (const Precision precision : {Precision::float32, Precision::bfloat16}) {
    Attention one(pool, {{5}, {40}, 1, 8, 8});
    write(one.in.q, 2, 3, std::numeric_limits<double>::quiet_NaN());
    const std::vector<double> out = one.forward(precision);
    for (int64_t i = 0; i < 5; ++i) EXPECT_EQ(std::isnan(out[static_cast<size_t>(i * 8)]), i == 2) << i;
  }
}

TEST(AttentionTest, ThreadsDoNotShowInBfloat16) {
  ThreadPool one_thread(1), threads(3);
  const Shapes shapes{{65, 3, 700}, {65, 3, 700}, 3, 24, 8};
  EXPECT_EQ(Attention(one_thread, shapes).forward(Precision::bfloat16),
            Attention(threads, shapes).forward(Precision::bfloat16));
}

}  // namespace
}  // namespace roformer::test
