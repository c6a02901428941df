#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "lab/bench.h"
#include "lab/bench_kernels.h"
#include "tests/inference/tiny_model.h"

namespace roformer {
namespace {

using Bench = TinyModelTest;

TEST_F(Bench, MeasuresAndTrainingChangesTheWeights) {
  Model m = model(0, Head::masked_lm, true);
  const float before = m.parameters()[0].parameter.value.data<float>()[0];
  BenchOptions options{.lengths = {3, 1, 5}, .seconds = 0, .passes = 2};
  const BenchResult inference = bench(m, options);
  EXPECT_EQ(inference.passes, 2);
  EXPECT_GT(inference.tokens_per_second, 0);
  EXPECT_GT(inference.gflops, 0);
  EXPECT_GT(inference.peak_memory, 1 << 20);
  EXPECT_EQ(m.parameters()[0].parameter.value.data<float>()[0], before);
  options.training = true;
  EXPECT_GT(bench(m, options).tokens_per_second, 0);
  EXPECT_NE(m.parameters()[0].parameter.value.data<float>()[0], before);
}

TEST_F(Bench, PassesTheIdsItIsGiven) {
  dropout_ = 0;
  Model m = model(0, Head::masked_lm, true);
  const std::vector<std::vector<int32_t>> ids{{2, 3, 4}, {5}};
  BenchOptions options{.lengths = {9}, .ids = ids, .training = true, .label_share = 1, .seconds = 0, .passes = 3};
  const BenchResult result = bench(m, options);
  // The loss of the first step, before any weight changed, computed on its own.
  Model same = model(0, Head::masked_lm, false);
  Batch batch;
  for (const auto& list : ids) batch.append(list);
  const Context context{same.backend(), nullptr, {}, false};
  const Value hidden = same.trunk().forward(context, batch);
  const LossSum loss = same.mlm_head().loss(context, hidden, same.trunk().word_embeddings(), {batch.ids, 0.25}).read();
  EXPECT_NEAR(result.first_loss, loss.sum / 4, 1e-6);
  EXPECT_LT(result.last_loss, result.first_loss);
}

TEST_F(Bench, KernelsAreMeasuredAlone) {
  ThreadPool pool(2);
  const auto backend = make_cpu_backend(pool);
  const KernelBenchOptions options{.lengths = {5, 70}, .heads = 2, .head_dim = 6, .seconds = 0, .passes = 2};
  const auto rotations = bench_rotation(*backend, options);
  ASSERT_EQ(rotations.size(), 4u);
  for (const RotationSpeed& speed : rotations) {
    EXPECT_GT(speed.memcpy_bytes_per_second, 0);
    EXPECT_NEAR(speed.bytes_per_second * speed.seconds, 2.0 * 2 * 75 * 2 * 6 * 4, 1e-3);  // read and written, q and k
  }
  const auto attentions = bench_attention(*backend, options);
  ASSERT_EQ(attentions.size(), 4u);
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(attentions[i].causal, i >= 2);
    EXPECT_EQ(attentions[i].backward, i % 2 == 1);
  }
  EXPECT_NEAR(attentions[0].gflops * attentions[0].seconds * 1e9, 4.0 * (25 + 4900) * 12, 1e-3);
  KernelBenchOptions linear{.lengths = {4096}, .heads = 2, .head_dim = 16, .seconds = 0, .passes = 1};
  linear.attention = AttentionKind::linear_elu;
  linear.bidirectional = false;
  const auto causal = bench_attention(*backend, linear);
  ASSERT_EQ(causal.size(), 2u);
  EXPECT_TRUE(causal[0].causal);
  EXPECT_GE(causal[1].memory.value_or(0), causal[0].memory.value_or(0));
  EXPECT_THROW(bench_rotation(*backend, {.lengths = {5}, .heads = 2, .head_dim = 5}), UsageError);
  EXPECT_THROW(bench_attention(*backend, {.lengths = {int64_t{1} << 40}}), UsageError);
}

}  // namespace
}  // namespace roformer
