#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>
#include <sstream>
#include <vector>

#include "roformer/text_model.h"
#include "tests/base/error_detail.h"
#include "tests/library/model_directories.h"

namespace roformer {
namespace {

using testing::HasSubstr;

std::string content(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

class Trainers : public testing::Test {
 protected:
  MaskedLanguageTrainer create(MaskedLanguageOptions options = small_training()) const {
    return MaskedLanguageTrainer::create(tokenizer_, small_shape(), options);
  }

  TempDirectory directory_;
  std::string tokenizer_ = make_tokenizer(directory_);
};

TEST_F(Trainers, LearnsAndSavesAModelThatOpens) {
  MaskedLanguageOptions options = small_training();
  options.learning_rate = 0.003;
  auto trainer = create(options);
  const double before = trainer.validate(proverbs()).loss;
  EXPECT_NEAR(before, std::log(28), 0.5);  // untrained
  for (int i = 0; i < 400; ++i) trainer.step(proverbs());
  EXPECT_EQ(trainer.steps(), 400);
  const MaskedLanguageScore after = trainer.validate(proverbs());
  EXPECT_LT(after.loss, before - 1);
  EXPECT_GE(after.accuracy, 0);
  EXPECT_LE(after.accuracy, 1);
  EXPECT_EQ(after.masked, 5);  // one of each short text
  trainer.save(directory_ / "model");
  const TextModel model = TextModel::open(directory_ / "model");
  EXPECT_EQ(model.fill_mask("iron [MASK] iron", 1)[0][0].token, "sharpens");
}

// AdamW's first step changes a weight by up to the learning rate.
TEST_F(Trainers, AModelThatIsTrainedAlreadyHasALowerRate) {
  MaskedLanguageOptions options = small_training();
  options.learning_rate.reset();
  options.weight_decay = 0;
  // All tensors of a safetensors file: what follows its header.
  const auto floats = [&](const std::string& name) {
    const std::string file = content(directory_ / (name + "/model.safetensors"));
    uint64_t header = 0;
    std::memcpy(&header, file.data(), sizeof(header));
    std::vector<float> values((file.size() - sizeof(header) - header) / sizeof(float));
    std::memcpy(values.data(), file.data() + sizeof(header) + header, values.size() * sizeof(float));
    return values;
  };
  const auto step_of = [&](MaskedLanguageTrainer trainer, const std::string& name) {
    trainer.save(directory_ / (name + "_before"));
    trainer.step(proverbs());
    trainer.save(directory_ / (name + "_after"));
    const std::vector<float> before = floats(name + "_before"), after = floats(name + "_after");
    EXPECT_EQ(before.size(), after.size());
    float most = 0;
    for (size_t i = 0; i < before.size(); ++i) most = std::max(most, std::abs(before[i] - after[i]));
    return most;
  };
  EXPECT_NEAR(step_of(create(options), "new"), 1e-3, 2e-5);
  EXPECT_NEAR(step_of(MaskedLanguageTrainer::open(directory_ / "new_after", options), "further"), 5e-5, 1e-6);
}

TEST_F(Trainers, TheSeedDecidesTheBytesAndThreadsDoNot) {
  MaskedLanguageOptions options = small_training();
  const auto weights = [&](const std::string& name) {
    auto trainer = create(options);
    trainer.step(proverbs());
    trainer.step(proverbs());
    trainer.save(directory_ / name);
    return content(directory_ / (name + "/model.safetensors"));
  };
  const std::string first = weights("first");
  options.threads = 2;
  EXPECT_EQ(weights("second"), first);
  options.seed = 2;
  EXPECT_NE(weights("third"), first);
}

TEST_F(Trainers, AStoppedStepChangesNothing) {
  std::stop_source stop;
  stop.request_stop();
  auto stopped = create(), other = create();
  for (int i = 0; i < 2; ++i) {
    try {
      stopped.step(proverbs(), stop.get_token());
      FAIL();
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::interrupted);
    }
    EXPECT_THROW(stopped.validate(proverbs(), stop.get_token()), Error);
    EXPECT_EQ(stopped.steps(), i);
    EXPECT_EQ(stopped.step(proverbs()), other.step(proverbs()));
  }
  EXPECT_EQ(stopped.validate(proverbs()).loss, other.validate(proverbs()).loss);
}

TEST_F(Trainers, LearnInBfloat16) {
  MaskedLanguageOptions options = small_training();
  const double exact = create(options).step(proverbs());
  options.dtype = "bfloat16";
  const double rounded = create(options).step(proverbs());
  EXPECT_NE(rounded, exact);
  EXPECT_NEAR(rounded, exact, 0.05);
  options.dtype = "int8";
  EXPECT_THROW(create(options), Error);
}

TEST_F(Trainers, PartsOfAStepAddUp) {
  MaskedLanguageOptions options = small_training();
  const auto loss = [&] {
    MaskedLanguageTrainer trainer =
        MaskedLanguageTrainer::create(tokenizer_, {.hidden_size = 32, .layers = 2, .heads = 2, .dropout = 0}, options);
    trainer.step(proverbs());
    return trainer.step(proverbs());
  };
  const double whole = loss();
  options.max_batch_tokens = 10;
  EXPECT_NEAR(loss(), whole, 1e-4);
}

TEST_F(Trainers, ALongTextBecomesSeveralSequences) {
  std::string text;
  for (int i = 0; i < 100; ++i) text += "iron sharpens ";
  // 200 tokens, 14 a sequence; 15 % of 14 is 2, and of the last 4 is 1.
  EXPECT_EQ(create().validate(std::vector{text}).masked, 14 * 2 + 1);
}

TEST_F(Trainers, GoesOnFromAModel) {
  const std::string path = make_model(directory_, 5);
  auto trainer = MaskedLanguageTrainer::open(path, small_training());
  const auto score = trainer.validate(proverbs());
  trainer.save(path);  // the same model: only the weights change
  EXPECT_EQ(MaskedLanguageTrainer::open(path, small_training()).validate(proverbs()).loss, score.loss);
  trainer.step(proverbs());
  trainer.save(path);
  EXPECT_NE(MaskedLanguageTrainer::open(path, small_training()).validate(proverbs()).loss, score.loss);
}

TEST_F(Trainers, DoesNotOverwriteOtherThings) {
  const std::string path = make_model(directory_);
  const auto other =
      MaskedLanguageTrainer::create(tokenizer_, {.hidden_size = 64, .layers = 1, .heads = 2}, small_training());
  const std::string before = content(path + "/model.safetensors");
  EXPECT_THROW(other.save(path), Error);
  EXPECT_THROW(other.save(""), Error);
  const auto same = create();
  write_text(path + "/vocab.txt", "other\n");
  EXPECT_THROW(same.save(path), Error);
  EXPECT_EQ(content(path + "/model.safetensors"), before);
  std::filesystem::create_directories(directory_ / "run/training");
  write_text(directory_ / "run/training/settings.json", "{}");
  EXPECT_THAT([&] { same.save(directory_ / "run"); }, testing::ThrowsMessage<Error>(HasSubstr("training run")));
}

TEST_F(Trainers, RefusesWhatCannotBe) {
  auto trainer = create();
  EXPECT_THROW(trainer.step({}), Error);
  EXPECT_THROW(trainer.step(std::vector<std::string>{"", "  "}), Error);
  EXPECT_THROW(trainer.step(std::vector<std::string>{"unknowable"}), Error);
  EXPECT_THROW(trainer.step(std::vector<std::string>{"\xff"}), Error);
  EXPECT_EQ(trainer.steps(), 0);
  const auto refused = [&](const ModelShape& shape, const MaskedLanguageOptions& options) {
    EXPECT_THROW(MaskedLanguageTrainer::create(tokenizer_, shape, options), Error);
  };
  refused({.hidden_size = 30, .heads = 4}, {});
  refused({.hidden_size = -1}, {});
  refused({.layers = -1}, {});
  refused({.heads = 0}, {});
  refused({.position = "polar"}, {});
  refused({.dropout = 1}, {});
  refused({}, {.learning_rate = std::nan("")});
  refused({}, {.warmup = -1});
  refused({}, {.mask_probability = 0});
  refused({}, {.max_length = 2});
  refused({}, {.max_batch_tokens = 0});
  EXPECT_THROW(MaskedLanguageTrainer::create(directory_ / "none"), Error);
  EXPECT_THROW(MaskedLanguageTrainer::open(tokenizer_), Error);
}

TEST_F(Trainers, LearnedPositionsHoldTheLongestSequence) {
  MaskedLanguageOptions options = small_training();
  options.max_length = 600;
  ModelShape shape = small_shape();
  shape.position = "learned";
  MaskedLanguageTrainer::create(tokenizer_, shape, options).save(directory_ / "learned");
  options.max_length = 601;
  EXPECT_THROW(MaskedLanguageTrainer::open(directory_ / "learned", options), Error);
}

TEST_F(Trainers, HaveEveryPositionEncoding) {
  for (const char* name : {"rotary",
                           "rotary-learned",
                           "rotary-partial",
                           "rotary-axial",
                           "p-rope",
                           "xpos",
                           "sinusoidal",
                           "sinusoidal-interleaved",
                           "sinusoidal-tensor2tensor",
                           "learned",
                           "learned-hierarchical",
                           "shaw",
                           "nezha",
                           "transformer-xl",
                           "t5",
                           "tupe",
                           "deberta",
                           "alibi",
                           "kerple",
                           "none"}) {
    ModelShape shape = small_shape();
    shape.position = name;
    auto trainer = MaskedLanguageTrainer::create(tokenizer_, shape, small_training());
    EXPECT_GT(trainer.step(proverbs()), 0) << name;
    trainer.save(directory_ / name);
    EXPECT_TRUE(TextModel::open(directory_ / name, {.threads = 1}).fills_masks()) << name;
  }
}

TEST_F(Trainers, NameTheFieldThatIsWrong) {
  const auto field = [&](const ModelShape& shape, const MaskedLanguageOptions& options = {}) {
    return detail_of([&] { MaskedLanguageTrainer::create(tokenizer_, shape, options); }).field;
  };
  EXPECT_EQ(field({.hidden_size = -1}), "hidden_size");
  EXPECT_EQ(field({.hidden_size = 30, .heads = 4}), "hidden_size");
  EXPECT_EQ(field({.layers = -1}), "layers");
  EXPECT_EQ(field({.heads = 0}), "heads");
  EXPECT_EQ(field({.intermediate_size = -1}), "intermediate_size");
  EXPECT_EQ(field({.position = "polar"}), "position");
  EXPECT_EQ(field({.dropout = 1}), "dropout");
  EXPECT_EQ(field({}, {.warmup = -1}), "warmup");
  EXPECT_EQ(field({}, {.mask_probability = 0}), "mask_probability");
  EXPECT_EQ(field({}, {.max_length = 2}), "max_length");
  EXPECT_EQ(field({}, {.max_batch_tokens = 0}), "max_batch_tokens");
  EXPECT_EQ(field({}, {.dtype = "int8"}), "dtype");
}

TEST_F(Trainers, TellIgnoredSettings) {
  const std::string path = make_model(directory_);
  EXPECT_TRUE(MaskedLanguageTrainer::open(path, small_training()).ignored_settings().empty());
  std::string config = content(path + "/config.json");
  write_text(path + "/config.json", config.insert(config.find('{') + 1, "\"my_key\": 7,"));
  EXPECT_THAT(MaskedLanguageTrainer::open(path, small_training()).ignored_settings(), testing::ElementsAre("my_key"));
  EXPECT_THAT(MaskedLanguageTrainer::open(path, small_training()).warnings(),
              testing::ElementsAre(testing::HasSubstr("my_key")));
}

}  // namespace
}  // namespace roformer
