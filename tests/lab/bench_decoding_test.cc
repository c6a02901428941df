// What bench_decoding counts; the speeds themselves are not tested.
#include "lab/bench_decoding.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"

namespace roformer {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

class BenchDecoding : public testing::Test {
 protected:
  static ModelConfig config() {
    ModelConfig config = preset_config("llama-100m");
    config.vocabulary = 50;
    config.hidden = config.embedding = 24;
    config.layers = 2;
    config.heads = 6;
    config.kv_heads = 2;
    config.intermediate = 40;
    std::get<RotaryPosition>(config.position).rotary.dim = 0;
    return config;
  }
  Model model(ModelConfig config) {
    complete(config, "");
    Model result(*backend_, config, false);
    result.initialize({1, 0});
    return result;
  }

  ThreadPool pool_{2};
  std::unique_ptr<Backend> backend_ = make_cpu_backend(pool_);
  // Of a layer: q, k, v and output, gate, up and down, two norms.
  static constexpr int64_t kLayers = 2 * (24 * 24 + 2 * 8 * 24 + 24 * 24 + 3 * 24 * 40 + 2 * 24) + 24;
};

TEST_F(BenchDecoding, MeasuresEachBatch) {
  const Model m = model(config());
  const auto result = bench_decoding(m, {.batches = {1, 3}, .prompt = 4, .tokens = 5, .seconds = 0, .passes = 7});
  ASSERT_EQ(result.speeds.size(), 2u);
  EXPECT_GT(result.bandwidth, 1e6);
  EXPECT_GT(result.peak_memory, 1 << 20);
  for (size_t i = 0; i < 2; ++i) {
    const DecodingSpeed& speed = result.speeds[i];
    EXPECT_EQ(speed.batch, i == 0 ? 1 : 3);
    EXPECT_EQ(speed.steps, 10);  // two turns
    EXPECT_GT(speed.seconds, 0);
    EXPECT_GE(speed.measured, speed.seconds * 5);
    EXPECT_NEAR(speed.tokens_per_second * speed.seconds, static_cast<double>(speed.batch), 1e-9);
    const double limit = result.bandwidth / static_cast<double>(result.weight_bytes);
    EXPECT_NEAR(speed.share * limit * speed.seconds, 1, 1e-9);
    EXPECT_TRUE(speed.profile.empty());
  }
}

// A row of the word embeddings is negligible, but the head reads all of them where it is tied to them.
TEST_F(BenchDecoding, CountsTheWeightsThatAStepReads) {
  const DecodingBenchOptions options{.batches = {1}, .prompt = 1, .tokens = 1, .seconds = 0, .passes = 1};
  EXPECT_EQ(bench_decoding(model(config()), options).weight_bytes, 4 * (kLayers + 50 * 24));
  ModelConfig untied = config();
  untied.tied = false;
  EXPECT_EQ(bench_decoding(model(untied), options).weight_bytes, 4 * (kLayers + 50 * 24));
}

TEST_F(BenchDecoding, ProfilesStepsOnly) {
  const Model m = model(config());
  const auto result =
      bench_decoding(m, {.batches = {2}, .prompt = 4, .tokens = 3, .seconds = 0, .passes = 1, .profile = true});
  const Profile::Entries& profile = result.speeds[0].profile;
  ASSERT_TRUE(profile.contains("attention to cached keys"));
  EXPECT_EQ(profile.at("attention to cached keys").calls, 3 * 2);
  EXPECT_FALSE(profile.contains("attention"));  // that of prompts
  EXPECT_EQ(backend_->profile(), nullptr);
}

TEST_F(BenchDecoding, RefusesModelsThatCannotDecode) {
  const DecodingBenchOptions options{.seconds = 0};
  const Model both_sides = model(preset_config("demo"));
  EXPECT_THAT([&] { bench_decoding(both_sides, options); }, ThrowsMessage<UsageError>(HasSubstr("causal")));
  ModelConfig trunk = config();
  trunk.head = Head::none;
  const Model headless = model(trunk);
  EXPECT_THAT([&] { bench_decoding(headless, options); }, ThrowsMessage<DataError>(HasSubstr("head")));
}

}  // namespace
}  // namespace roformer
