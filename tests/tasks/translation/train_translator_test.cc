#include "tasks/translation/train_translator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"
#include "generation/translator.h"
#include "inference/session.h"
#include "tests/base/temp_directory.h"
#include "text/translation_tokenizers.h"

namespace roformer::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// A language pair that a small model learns in a moment: numbers digit by digit.
class TrainTranslator : public ::testing::Test {
 protected:
  TrainTranslator() {
    write_pairs("train", 0, 400);
    write_pairs("valid", 400, 430);
  }

  void write_pairs(const std::string& name, int first, int end) {
    constexpr const char* kWords[] = {"null", "eins",  "zwei",   "drei", "vier",
                                      "fünf", "sechs", "sieben", "acht", "neun"};
    constexpr const char* kDigits[] = {"zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"};
    std::string source, target;
    for (int i = first; i < end; ++i) {
      for (const int part : {1, 10, 100, 1000}) {
        const int digit = i * 7919 / part % 10;
        source += std::string(part == 1 ? "" : " ") + kDigits[digit];
        target += std::string(part == 1 ? "" : " ") + kWords[digit];
      }
      source += '\n';
      target += '\n';
    }
    write_file_atomically(path(name + ".en"), source);
    write_file_atomically(path(name + ".de"), target);
  }

  TrainTranslatorOptions options(const std::string& output) const {
    TrainTranslatorOptions result;
    result.source = {path("train.en")};
    result.target = {path("train.de")};
    result.validation_source = {path("valid.en")};
    result.validation_target = {path("valid.de")};
    result.output = path(output);
    result.vocab_size = 330;
    result.shape.hidden_size = 32;
    result.shape.intermediate_size = 48;
    result.shape.layers = 1;
    result.shape.heads = 2;
    result.shape.dropout = 0.1;
    result.batch_tokens = 200;
    result.learning_rate = 1e-2;
    result.steps = 12;
    result.validate_every = 4;
    result.samples = 0;
    result.messages.write = [](std::string_view) {};
    return result;
  }
  TrainTranslatorResult train(const TrainTranslatorOptions& settings) { return train_translator(settings, *backend_); }
  template <class E>
  std::string failure(const TrainTranslatorOptions& settings) {
    try {
      train(settings);
    } catch (const E& error) {
      return error.what();
    }
    return "";
  }
  // Stops after `steps` more steps.
  void interrupt(TrainTranslatorOptions settings, int64_t steps) {
    std::stop_source source;
    settings.stop_token = source.get_token();
    settings.times = [&](const StepCount& count) {
      if (count.done - count.start >= steps) source.request_stop();
      return std::string();
    };
    EXPECT_THROW(train(settings), Interrupted);
  }
  std::string path(const std::string& name) const { return directory_ / name; }
  std::string text_of(const std::string& name) const { return read_file(path(name), int64_t{1} << 30); }
  void expect_same_result(const std::string& one, const std::string& other) const {
    for (const char* name : {"model.safetensors", "training/step-12/optimizer.safetensors", "source.spm"}) {
      EXPECT_TRUE(text_of(one + "/" + name) == text_of(other + "/" + name)) << name;
    }
  }
  std::vector<std::string> warnings_of(TrainTranslatorOptions settings) {
    std::vector<std::string> warnings;
    settings.warned = [&](const std::string& warning) { warnings.push_back(warning); };
    train(settings);
    return warnings;
  }

  TempDirectory directory_;
  ThreadPool pool_{1};
  std::unique_ptr<Backend> backend_ = make_cpu_backend(pool_);
};

class TranslatorShapes : public TrainTranslator, public ::testing::WithParamInterface<TranslatorShape> {};

TEST_P(TranslatorShapes, LearnsToTranslate) {
  TrainTranslatorOptions settings = options("run");
  const TranslatorShape small = settings.shape;
  settings.shape = GetParam();
  settings.shape.hidden_size = small.hidden_size;
  settings.shape.intermediate_size = small.intermediate_size;
  settings.shape.layers = small.layers;
  settings.shape.heads = small.heads;
  settings.shape.dropout = 0;
  settings.steps = 400;
  settings.validate_every = 100;
  const TrainTranslatorResult result = train(settings);
  ASSERT_TRUE(result.training.best);
  EXPECT_GT(metric_of(result.training.best->evaluation, "chrf"), 30);
  EXPECT_LT(result.training.best->evaluation.loss, 0.7);

  // The directory is what `translate` reads.
  const Session session(path("run"), {.engine = {.threads = 1}});
  const TranslationTokenizers tokenizers = load_translation_tokenizers(session.directory());
  const Translator translator(session.model(), read_translator_options(session.directory()));
  EXPECT_EQ(translator.options().beams, 4);
  const std::vector<std::vector<int32_t>> sources = {tokenizers.source->encode("one two three four").ids};
  EXPECT_NE(tokenizers.target->decode(translator.run(sources)[0][0].ids), "");
  EXPECT_EQ(std::ranges::count(text_of("run/validation-translations.txt"), '\n'), 30);
}

TranslatorShape shape_of(const std::string& form, const std::optional<std::string>& position,
                         const std::optional<std::string>& norm) {
  TranslatorShape shape;
  shape.form = form;
  shape.position = position;
  shape.norm = norm;
  return shape;
}

INSTANTIATE_TEST_SUITE_P(Forms, TranslatorShapes,
                         ::testing::Values(shape_of("marian", {}, {}), shape_of("roformer", {}, {}),
                                           shape_of("transformer", {}, {}), shape_of("transformer", "t5", "post"),
                                           shape_of("transformer", "learned", "pre")),
                         [](const auto& tested) { return tested.param.form + tested.param.position.value_or(""); });

TEST_F(TrainTranslator, InterruptedAnywhereTheResultIsTheSame) {
  TrainTranslatorOptions settings = options("whole");
  settings.average = 2;
  settings.accumulate = 2;
  train(settings);
  settings.output = path("parts");
  for (const int64_t steps : {3, 2, 5}) interrupt(settings, steps);
  train(settings);
  expect_same_result("whole", "parts");
  EXPECT_TRUE(train(settings).already_finished);
}

TEST_F(TrainTranslator, ThreadsDoNotChangeAnything) {
  train(options("one"));
  ThreadPool pool(3);
  const auto backend = make_cpu_backend(pool);
  train_translator(options("three"), *backend);
  expect_same_result("one", "three");
}

TEST_F(TrainTranslator, OtherSettingsAreRefused) {
  TrainTranslatorOptions settings = options("run");
  train(settings);
  settings.label_smoothing = 0.2;
  EXPECT_THAT(failure<UsageError>(settings), HasSubstr("label-smoothing was 0.1, now 0.2"));
  settings = options("run");
  settings.source = settings.validation_source;
  settings.target = settings.validation_target;
  EXPECT_THAT(failure<UsageError>(settings), AllOf(HasSubstr("source was"), HasSubstr("target was")));
}

TEST_F(TrainTranslator, GoesOnFromATranslator) {
  train(options("first"));
  TrainTranslatorOptions settings = options("second");
  settings.init_from = path("first");
  settings.vocab_size.reset();
  settings.shape = {};
  settings.learning_rate = 1e-9;
  settings.steps = 1;
  settings.validate_every = 1;
  const double first = metric_of(train(options("first")).training.best->evaluation, "loss");
  EXPECT_NEAR(train(settings).training.validation.loss, first, 1e-3);
  EXPECT_EQ(text_of("first/source.spm"), text_of("second/source.spm"));
  settings.output = path("third");
  settings.shape.layers = 2;
  EXPECT_THAT(failure<UsageError>(settings), HasSubstr("layers"));
}

TEST_F(TrainTranslator, HoldsOutPairsToValidateOn) {
  TrainTranslatorOptions settings = options("run");
  settings.validation_source.clear();
  EXPECT_THAT(failure<UsageError>(settings), HasSubstr("validation_target without validation_source"));
  settings.validation_target.clear();
  std::string said;
  settings.messages.write = [&](std::string_view text) { said += text; };
  train(settings);
  EXPECT_THAT(said, HasSubstr("to validate on: 8 pairs, held out of the training text"));
  EXPECT_EQ(std::ranges::count(text_of("run/validation-translations.txt"), '\n'), 8);
}

TEST_F(TrainTranslator, ShowsSamples) {
  TrainTranslatorOptions settings = options("run");
  settings.samples = 3;
  std::string said;
  settings.messages.write = [&](std::string_view text) { said += text; };
  train(settings);
  EXPECT_THAT(said, HasSubstr("  reference    "));
  EXPECT_EQ(Json::parse(text_of("run/samples.json")).at("rows").size(), 3u);
  EXPECT_THAT(text_of("run/report.html"), AllOf(HasSubstr("Samples of the last validation"), HasSubstr("bleu")));
}

TEST_F(TrainTranslator, SaysWhatLooksWrong) {
  EXPECT_THAT(warnings_of(options("right")), IsEmpty());
  TrainTranslatorOptions settings = options("swapped");
  std::swap(settings.validation_source, settings.validation_target);
  EXPECT_THAT(warnings_of(settings), ::testing::ElementsAre(HasSubstr("languages were swapped")));
  settings = options("leaked");
  settings.validation_source = settings.source;
  settings.validation_target = settings.target;
  EXPECT_THAT(warnings_of(settings), ::testing::ElementsAre(HasSubstr("400 pairs to train on are also")));
  settings = options("same");
  settings.target = settings.source;
  EXPECT_THAT(failure<DataError>(settings), HasSubstr("are the same text"));
  settings = options("none");
  settings.max_length = 2;
  EXPECT_THAT(failure<DataError>(settings), HasSubstr("no pair is left to train on"));
  settings = options("word");
  settings.shape.norm = "middle";
  EXPECT_THAT(failure<UsageError>(settings), HasSubstr("expected pre or post"));
  settings = options("both");
  settings.epochs = 1;
  EXPECT_THAT(failure<UsageError>(settings), HasSubstr("expected one of them"));
}

TEST(TranslatorPresets, AreWhatTheirSourcesSay) {
  TranslatorShape shape;
  shape.form = "marian";
  shape.preset = "transformer-base";
  EXPECT_EQ(translator_config(shape, {.source = 32000, .target = 32000, .pad_id = 31999}, 256).parameters(),
            60'554'496);
  EXPECT_THROW(translator_preset("transformer-large"), UsageError);
}

}  // namespace
}  // namespace roformer::test
