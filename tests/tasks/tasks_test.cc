// The tasks as functions; how they look from outside is the business of tests/cli.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <set>

#include "base/error.h"
#include "base/file.h"
#include "checkpoint/safetensors.h"
#include "tasks/bench.h"
#include "tasks/bench_kernels.h"
#include "tasks/fill_mask.h"
#include "tasks/forward.h"
#include "tests/base/temp_directory.h"
#include "text/train.h"

namespace roformer {
namespace {

class Tasks : public testing::Test {
 protected:
  // `extra` rows of the vocabulary that the tokenizer does not have.
  Model model(int64_t extra = 0, Head head = Head::masked_lm, bool trainable = false) {
    ModelConfig config;
    config.vocabulary = tokenizer_->vocabulary_size() + extra;
    config.hidden = config.embedding = 8;
    config.layers = 1;
    config.heads = 2;
    config.intermediate = 12;
    config.initializer_range = 0.3;
    config.hidden_dropout = config.attention_dropout = dropout_;
    config.head = head;
    complete(config, "");
    Model result(*backend_, config, trainable);
    result.initialise({1, 0});
    return result;
  }

  double dropout_ = 0.1;
  TempDirectory directory_;
  ThreadPool pool_{1};
  std::unique_ptr<Backend> backend_ = make_reference_backend(pool_);
  std::unique_ptr<Tokenizer> tokenizer_ = train_byte();
};

TEST_F(Tasks, FillMaskGivesEveryTokenItsProbability) {
  const auto masks = fill_mask(model(), *tokenizer_, "a[MASK]b[MASK]", 1000);
  ASSERT_EQ(masks.size(), 2u);
  for (const auto& candidates : masks) {
    ASSERT_EQ(std::ssize(candidates), tokenizer_->vocabulary_size());
    std::set<int32_t> ids;
    double sum = 0;
    double before = 1;
    for (const Candidate& candidate : candidates) {
      ids.insert(candidate.id);
      sum += candidate.score;
      EXPECT_LE(candidate.score, before);
      before = candidate.score;
    }
    EXPECT_EQ(ids.size(), candidates.size());
    EXPECT_NEAR(sum, 1, 1e-9);
  }
  EXPECT_NE(masks[0][0].score, masks[1][0].score);
  EXPECT_EQ(fill_mask(model(), *tokenizer_, "[MASK]", 3)[0].size(), 3u);
}

TEST_F(Tasks, FillMaskAgreesWithTheLogits) {
  const Model m = model();
  const auto encoding = tokenizer_->encode("a[MASK]b");
  Batch batch;
  batch.append(encoding.ids, encoding.segment_ids);
  const Context context{*backend_, nullptr, {}, false};
  const Value logits = m.mlm_head().logits(context, m.encoder().forward(context, batch), m.encoder().words());
  const float* row = logits.data.row<float>(2);  // [CLS] a [MASK]
  const auto best = std::max_element(row, row + m.config().vocabulary) - row;
  EXPECT_EQ(fill_mask(m, *tokenizer_, "a[MASK]b", 1)[0][0].id, best);
}

TEST_F(Tasks, FillMaskNeverSaysAnIdWithoutAToken) {
  const Model m = model(50);
  for (const NamedParameter& named : m.parameters()) {
    if (named.name != "cls.predictions.bias") continue;
    for (int64_t id = 0; id < 50; ++id) named.parameter.value.data<float>()[tokenizer_->vocabulary_size() + id] = 99;
  }
  const auto masks = fill_mask(m, *tokenizer_, "[MASK]", 1000);
  EXPECT_EQ(std::ssize(masks[0]), tokenizer_->vocabulary_size());
  for (const Candidate& candidate : masks[0]) EXPECT_LT(candidate.id, tokenizer_->vocabulary_size());
}

TEST_F(Tasks, FillMaskNeedsAMaskAndAHead) {
  EXPECT_THROW(fill_mask(model(), *tokenizer_, "abc", 1), DataError);
  EXPECT_THROW(fill_mask(model(0, Head::none), *tokenizer_, "[MASK]", 1), DataError);
}

TEST_F(Tasks, ForwardWritesWhatTheEncoderComputes) {
  const Model m = model();
  write_file_atomically(
      directory_ / "ids.json",
      R"({"input_ids":[[2,9],[7,8,9]],"token_type_ids":[[0,0],[0,1,1]],"position_ids":[[0,1],[3,2,9]]})");
  EXPECT_EQ(forward(m, directory_ / "ids.json", directory_ / "out"), 2);
  Batch batch;
  batch.append(std::vector<int32_t>{7, 8, 9}, std::vector<int32_t>{0, 1, 1});
  batch.positions = {3, 2, 9};
  const Tensor expected = m.encoder().forward({*backend_, nullptr, {}, false}, batch).data;
  const Tensor found = SafetensorsFile(directory_ / "out").tensor("last_hidden_state.1");
  ASSERT_EQ(found.shape(), (Shape{3, 8}));
  for (int64_t i = 0; i < 24; ++i) EXPECT_EQ(found.data<float>()[i], expected.data<float>()[i]);
}

TEST_F(Tasks, ForwardRefusesMoreActivationsThanMemory) {
  const Model m = model(200'000);
  std::string ids = "[0";
  for (int i = 0; i < 2'000'000; ++i) ids += ",0";  // 1.6 TB of logits
  write_file_atomically(directory_ / "ids.json", "{\"input_ids\":[" + ids + "]]}");
  try {
    forward(m, directory_ / "ids.json", directory_ / "out");
    FAIL();
  } catch (const DataError& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("ids.json: the activations of 2000001 tokens need 160"));
  }
}

TEST_F(Tasks, ForwardOfATrunkHasNoLogits) {
  write_file_atomically(directory_ / "ids.json", R"({"input_ids":[[2]]})");
  forward(model(0, Head::none), directory_ / "ids.json", directory_ / "out");
  EXPECT_EQ(SafetensorsFile(directory_ / "out").tensors().size(), 1u);
}

TEST_F(Tasks, BenchMeasuresAndTrainingChangesTheWeights) {
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

TEST_F(Tasks, BenchPassesTheIdsItIsGiven) {
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
  const Value hidden = same.encoder().forward(context, batch);
  const LossSum loss = same.mlm_head().loss(context, hidden, same.encoder().words(), batch.ids, 0.25).read();
  EXPECT_NEAR(result.first_loss, loss.sum / 4, 1e-6);
  EXPECT_LT(result.last_loss, result.first_loss);
}

TEST_F(Tasks, KernelsAreMeasuredAlone) {
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
