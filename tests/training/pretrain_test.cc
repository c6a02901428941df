#include "training/pretrain.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/file.h"
#include "tests/base/temp_directory.h"
#include "text/learn/train.h"
#include "training/pretrain_plan.h"

namespace roformer {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

class Pretrain : public testing::Test {
 protected:
  Pretrain() {
    options_.data = {directory_ / "text.txt"};
    options_.messages.write = [](std::string_view) {};
  }

  TempDirectory directory_;
  ThreadPool pool_{1};
  std::unique_ptr<Backend> backend_ = make_reference_backend(pool_);
  std::unique_ptr<Tokenizer> tokenizer_ = train_byte();
  PretrainOptions options_;
};

TEST_F(Pretrain, PresetsSayHowToTrain) {
  EXPECT_EQ(preset_run("demo").max_length, 128);
  EXPECT_EQ(preset_run("paper-mlm").batch_tokens, 64 * 512);
  EXPECT_EQ(preset_run("paper-mlm").learning_rate, 1e-5);
  const PretrainPlan plan = make_plan(options_, *tokenizer_);
  EXPECT_EQ(plan.config.vocabulary, tokenizer_->vocabulary_size());
  EXPECT_EQ(plan.max_length, 128);
  EXPECT_EQ(plan.sequences_per_micro_batch(), 4096 / 128);
  EXPECT_EQ(plan.preset.steps, 400);
}

TEST_F(Pretrain, AModelThatIsTrainedAlreadyHasALowerRate) {
  EXPECT_EQ(run_defaults(options_).learning_rate, 1e-3);
  options_.init_from = "somewhere";
  EXPECT_EQ(run_defaults(options_).learning_rate, 5e-5);
  EXPECT_EQ(run_defaults(options_).steps, 400);
}

TEST_F(Pretrain, DefaultsCanBeShown) {
  options_.schedule.steps = 50;
  fill_defaults(options_);
  EXPECT_EQ(options_.max_length, 128);
  EXPECT_EQ(options_.batch_tokens, 4096);
  EXPECT_EQ(options_.schedule.steps, 50);
  EXPECT_EQ(options_.schedule.warmup, 5);
  EXPECT_EQ(options_.schedule.learning_rate, 1e-3);
  EXPECT_EQ(options_.mask_probability, 0.15);
  EXPECT_FALSE(options_.validation_fraction);  // it would lift the limit of sequences
  PretrainOptions causal;
  causal.objective = "clm";
  causal.schedule.epochs = 2;
  fill_defaults(causal);
  EXPECT_FALSE(causal.mask_probability || causal.schedule.steps);
  EXPECT_EQ(causal.schedule.warmup, 0.1);
}

TEST_F(Pretrain, WantsATokenizerAndAnOutput) {
  EXPECT_THROW(pretrain(options_, *backend_), UsageError);
  options_.output = directory_ / "out";
  EXPECT_THROW(pretrain(options_, *backend_), UsageError);
  options_.tokenizer = directory_ / "nowhere";
  EXPECT_THROW(pretrain(options_, *backend_), FileError);
}

// Invalid settings are rejected for callers of the function as on the command line.
TEST_F(Pretrain, ChecksItsSettings) {
  options_.intervals.log_every = 0;
  EXPECT_THAT([&] { pretrain(options_, *backend_); },
              ThrowsMessage<UsageError>(HasSubstr("log_every: expected an integer of at least 1, got 0")));
}

TEST_F(Pretrain, APlanRefusesWhatDoesNotGoTogether) {
  options_.batch_tokens = 100;
  EXPECT_THROW(make_plan(options_, *tokenizer_), UsageError);
  options_.batch_tokens = 128;
  EXPECT_EQ(make_plan(options_, *tokenizer_).sequences_per_micro_batch(), 1);
  options_.schedule.steps = 3;
  options_.schedule.epochs = 1;
  EXPECT_THROW(make_plan(options_, *tokenizer_), UsageError);
  options_.schedule.epochs.reset();
  options_.objective = "clm";
  EXPECT_EQ(make_plan(options_, *tokenizer_).config.attention_mask, AttentionMask::causal);
}

TEST_F(Pretrain, APlanHasTheParametersOfItsPositions) {
  options_.shape.position_options.rotary_base = 500;
  EXPECT_EQ(std::get<RotaryPosition>(make_plan(options_, *tokenizer_).config.position).rotary.base, 500);
  options_.shape.position = "t5";
  EXPECT_THAT([&] { make_plan(options_, *tokenizer_); },
              ThrowsMessage<UsageError>(HasSubstr("rotary_base: position t5 has no such parameter")));
  options_.shape.position_options = {.relative_buckets = 8, .relative_max_distance = 64};
  const PretrainPlan plan = make_plan(options_, *tokenizer_);
  EXPECT_EQ(std::get<T5Position>(plan.config.position).buckets, (DistanceBuckets{.count = 8, .max_distance = 64}));
}

TEST_F(Pretrain, APositionTableIsAsLongAsItIsSaidToBe) {
  options_.shape.position = "learned";
  options_.max_length = 600;
  EXPECT_EQ(make_plan(options_, *tokenizer_).config.max_positions, 600);
  options_.shape.position_options.max_positions = 1000;
  EXPECT_EQ(make_plan(options_, *tokenizer_).config.max_positions, 1000);
  const auto refused = [&](int64_t rows, const char* message) {
    options_.shape.position_options.max_positions = rows;
    EXPECT_THAT([&] { make_plan(options_, *tokenizer_); }, ThrowsMessage<UsageError>(HasSubstr(message))) << rows;
  };
  refused(599, "max_length 600 is longer than the model's 599 learned positions");
  options_.shape.position = "learned-hierarchical";
  refused(24, "max_length 600 is longer than the model's 576 learned positions");
  options_.shape.position_options.max_positions = 25;
  EXPECT_EQ(std::get<LearnedPosition>(make_plan(options_, *tokenizer_).config.position).max_positions, 25);
}

}  // namespace
}  // namespace roformer
