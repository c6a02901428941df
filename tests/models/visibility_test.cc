// Attention masks: causal and prefix attention, cross-attention, and errors.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "models/model.h"
#include "tests/base/error_detail.h"
#include "tests/models/model_trial.h"

namespace roformer::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::ThrowsMessage;

TEST(VisibleKeysTest, OfEachKind) {
  Batch batch;
  batch.append(std::vector<int32_t>{1, 2, 3, 4, 5}, std::vector<int32_t>{0, 0, 1, 1, 1});
  batch.append({});
  batch.append(std::vector<int32_t>{1, 2, 3}, std::vector<int32_t>{1, 0, 0});
  EXPECT_THAT(visible_keys(AttentionMask::bidirectional, batch), IsEmpty());
  EXPECT_THAT(visible_keys(AttentionMask::causal, batch), ElementsAre(1, 2, 3, 4, 5, 1, 2, 3));
  EXPECT_THAT(visible_keys(AttentionMask::prefix, batch), ElementsAre(2, 2, 3, 4, 5, 3, 3, 3));
}

// UniLM's definition: c = cumulative sum of the segments, j sees k iff c[k] ≤ c[j].
TEST(VisibleKeysTest, PrefixIsTheRunningSumOfSegments) {
  Generator generator({3, 0});
  for (int trial = 0; trial < 100; ++trial) {
    std::vector<int32_t> segments(1 + generator.below(9));
    for (int32_t& segment : segments) segment = static_cast<int32_t>(generator.below(3));
    Batch batch;
    batch.append(std::vector<int32_t>(segments.size(), 1), segments);
    const std::vector<int32_t> limits = visible_keys(AttentionMask::prefix, batch);
    std::vector<int32_t> sums;
    for (int32_t sum = 0; const int32_t segment : segments) sums.push_back(sum += segment);
    for (size_t j = 0; j < sums.size(); ++j) {
      for (size_t k = 0; k < sums.size(); ++k) {
        EXPECT_EQ(static_cast<int32_t>(k) < limits[j], sums[k] <= sums[j]) << j << " " << k;
      }
    }
  }
}

class VisibilityTest : public ::testing::TestWithParam<const char*> {
 protected:
  Model random_model(const ModelConfig& config) {
    Model model(*backend_, config, false);
    randomize(model, 5);
    return model;
  }
  std::vector<std::vector<double>> rows(const Model& model, const Batch& batch, const StackInputs& inputs = {}) {
    const Tensor hidden = model.trunk().forward({.backend = *backend_}, batch, inputs).data;
    std::vector<std::vector<double>> all;
    for (int64_t i = 0; i < hidden.rows(); ++i) all.push_back(values_of(hidden.row_range(i, 1)));
    return all;
  }

  ThreadPool pool_{2};
  std::unique_ptr<Backend> backend_ = make_backend(GetParam(), pool_);
};

ModelConfig decoder_config(bool cross_attention) {
  ModelConfig config = tiny_config();
  config.attention_mask = AttentionMask::causal;
  config.cross_attention = cross_attention;
  complete(config, "");
  return config;
}

TEST_P(VisibilityTest, ACausalModelDoesNotSeeWhatComes) {
  const Model model = random_model(decoder_config(false));
  Batch batch = random_batch(model.config(), {300, 5}, 6).batch;
  const auto before = rows(model, batch);
  const size_t changed = 280;
  batch.ids[changed] = (batch.ids[changed] + 1) % 29;
  const auto after = rows(model, batch);
  for (size_t t = 0; t < before.size(); ++t) {
    const double difference = relative_difference(after[t], before[t]);
    if (t < changed || t >= 300) {
      EXPECT_EQ(difference, 0) << t;
    } else if (t == changed) {
      EXPECT_GE(difference, 0.02);
    }
  }
  // With the same weights and a bidirectional mask, the first token sees the last.
  EXPECT_GE(relative_difference(rows(model, batch, {.attention_mask = AttentionMask::bidirectional})[0], after[0]),
            0.02);
}

// A prefix (segment 0) does not depend on what follows, which sees all of it.
TEST_P(VisibilityTest, APrefixIsReadOnItsOwn) {
  const Model model = random_model(tiny_config());
  const LabeledBatch data = random_batch(model.config(), {30}, 6);
  Batch whole = data.batch, prefix;
  for (int32_t t = 0; t < 30; ++t) whole.segments[static_cast<size_t>(t)] = t < 20 ? 0 : 1;
  prefix.append(std::span(whole.ids).first(20));
  const auto alone = rows(model, prefix), together = rows(model, whole, {.attention_mask = AttentionMask::prefix});
  for (size_t t = 0; t < 20; ++t) EXPECT_LE(relative_difference(together[t], alone[t]), 2e-5) << t;
  whole.ids[19] = (whole.ids[19] + 1) % 29;
  const auto other = rows(model, whole, {.attention_mask = AttentionMask::prefix});
  EXPECT_GE(relative_difference(other[0], together[0]), 0.001);
  EXPECT_GE(relative_difference(other[29], together[29]), 0.001);
}

TEST_P(VisibilityTest, CrossAttentionReadsItsOwnMemoryOnly) {
  const Model model = random_model(decoder_config(true));
  const Batch batch = random_batch(model.config(), {4, 6}, 6).batch;
  const Tensor memory = backend_->empty({12, model.config().hidden});
  Generator generator({8, 0});
  for (int64_t i = 0; i < 12; ++i) {
    for (int64_t j = 0; j < memory.columns(); ++j) write(memory, i, j, static_cast<float>(generator.normal()));
  }
  const std::vector<int32_t> offsets = {0, 7, 12};
  const StackInputs inputs{.memory = Value(memory), .memory_offsets = offsets};
  const auto before = rows(model, batch, inputs);
  EXPECT_GE(relative_difference(rows(model, batch)[0], before[0]), 0.02) << "without a memory it is left out";
  write(memory, 8, 0, 5.0f);  // of the second sequence
  const auto after = rows(model, batch, inputs);
  for (size_t t = 0; t < 4; ++t) EXPECT_EQ(after[t], before[t]);
  for (size_t t = 4; t < 10; ++t) EXPECT_GE(relative_difference(after[t], before[t]), 1e-4);
  // Both variants of cross-attention agree at position 0 only.
  StackInputs rotated = inputs;
  rotated.rotate_cross_queries = true;
  const auto turned = rows(model, batch, rotated);
  EXPECT_LE(relative_difference(turned[0], after[0]), 1e-6);
  EXPECT_GE(relative_difference(turned[3], after[3]), 1e-3);
}

TEST_P(VisibilityTest, MemoriesThatDoNotFit) {
  const Model decoder = random_model(decoder_config(true)), encoder = random_model(tiny_config());
  const Batch batch = random_batch(decoder.config(), {4, 6}, 6).batch;
  const std::vector<int32_t> offsets = {0, 3}, right = {0, 3, 3};
  const StackInputs one{.memory = Value(backend_->zeros({3, 8})), .memory_offsets = offsets};
  EXPECT_THAT([&] { rows(decoder, batch, one); }, ThrowsMessage<DataError>(HasSubstr("in 1 sequences")));
  const StackInputs wide{.memory = Value(backend_->zeros({3, 9})), .memory_offsets = right};
  EXPECT_THAT([&] { rows(decoder, batch, wide); }, ThrowsMessage<DataError>(HasSubstr("[3, 9]")));
  const StackInputs fits{.memory = Value(backend_->zeros({3, 8})), .memory_offsets = right};
  EXPECT_NO_THROW(rows(decoder, batch, fits)) << "a sequence without memory gets nothing from it";
  EXPECT_EQ(detail_of<DataError>([&] { rows(encoder, batch, fits); }).key, "add_cross_attention");
}

TEST_P(VisibilityTest, LearnedPositionsSayTheirLimit) {
  const Model model = random_model(tiny_config("learned"));
  const Batch batch = random_batch(model.config(), {41}, 6).batch;
  EXPECT_THAT([&] { rows(model, batch); }, ThrowsMessage<DataError>(HasSubstr("texts of at most 40 tokens")));
  EXPECT_NO_THROW(rows(random_model(tiny_config()), batch)) << "a rotary model takes any length";
}

INSTANTIATE_TEST_SUITE_P(, VisibilityTest, ::testing::Values("reference", "cpu"));

}  // namespace
}  // namespace roformer::test
