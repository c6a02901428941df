// Translation against transformers' generate() (tests/fixtures/README.md, "marian_models" and
// "encoder_decoders"), and its own promises.
#include "generation/translator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <numeric>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/json.h"
#include "tests/base/temp_directory.h"

namespace roformer::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class TranslatorTest : public ::testing::TestWithParam<std::string> {
 protected:
  std::string directory() const { return ROFORMER_SOURCE_DIR "/tests/fixtures/" + GetParam(); }
  std::vector<std::vector<int32_t>> sources() const {
    return JsonObject::read(directory() + "/inputs.json")
        .value()
        .at("input_ids")
        .get<std::vector<std::vector<int32_t>>>();
  }
  Json generated() const { return JsonObject::read(directory() + "/generated.json").value(); }

  // The settings of transformers' generate() as a directory's generation_config.json would say them.
  static TranslatorOptions options_of(const Json& settings, int64_t longest) {
    const TempDirectory directory;
    Json config = settings;
    config.update(Json{{"max_length", longest}, {"forced_eos_token_id", 0}});
    write_file_atomically(directory / "generation_config.json", config.dump());
    TranslatorOptions options = read_translator_options(directory.path());
    options.candidates = settings.value("num_return_sequences", int64_t{1});
    return options;
  }

  ThreadPool pool_{2};
  std::unique_ptr<Backend> exact_ = make_reference_backend(pool_, DType::float64);
  std::unique_ptr<Backend> cpu_ = make_cpu_backend(pool_);
};

TEST_P(TranslatorTest, EqualsTransformers) {
  const Json all = generated();
  for (Backend* backend : {exact_.get(), cpu_.get()}) {
    const Model model = load_model(directory(), *backend);
    for (const auto& [way, expected] : all.at("ways").items()) {
      const Translator translator(model, options_of(expected.at("settings"), all.at("max_length")));
      const auto results = translator.run(sources());
      ASSERT_EQ(results.size(), expected.at("hypotheses").size());
      for (size_t i = 0; i < results.size(); ++i) {
        const Json& hypotheses = expected.at("hypotheses")[i];
        ASSERT_EQ(results[i].size(), hypotheses.size()) << way;
        for (size_t k = 0; k < hypotheses.size(); ++k) {
          EXPECT_EQ(results[i][k].ids, hypotheses[k][0].get<std::vector<int32_t>>()) << way << " " << i << " " << k;
          if (!hypotheses[k][1].is_null()) {
            EXPECT_NEAR(results[i][k].score, hypotheses[k][1].get<double>(), backend == cpu_.get() ? 2e-4 : 2e-5)
                << way << " " << i;
          }
        }
      }
    }
  }
}

// In batches of any size, in any order.
TEST_P(TranslatorTest, SourcesDoNotDependOnEachOther) {
  const Model model = load_model(directory(), *cpu_);
  const auto all = sources();
  const auto together = Translator(model, {.longest = 12}).run(all);
  const Translator small(model, {.longest = 12, .batch_tokens = 1});
  for (size_t i = 0; i < all.size(); ++i) {
    EXPECT_EQ(small.run({&all[i], 1}).front().front().ids, together[i].front().ids);
  }
  EXPECT_EQ(small.run(all)[2].front().ids, together[2].front().ids);
}

// The score of a hypothesis is that of its tokens, forced.
TEST_P(TranslatorTest, ScoresAreThoseOfForcedDecoding) {
  const Model model = load_model(directory(), *cpu_);
  for (const LengthPenalty kind : {LengthPenalty::power, LengthPenalty::gnmt}) {
    const Translator translator(model, {.length_penalty = 0.7, .penalty_kind = kind, .longest = 12});
    const auto results = translator.run(sources());
    std::vector<std::vector<int32_t>> targets;
    for (const auto& hypotheses : results) targets.push_back(hypotheses.front().ids);
    const auto logs = translator.score(sources(), targets);
    for (size_t i = 0; i < targets.size(); ++i) {
      const double sum = std::accumulate(logs[i].begin(), logs[i].end(), 0.0);
      const auto length = static_cast<double>(targets[i].size());
      const double base = kind == LengthPenalty::gnmt ? (5 + length) / 6 : length;
      EXPECT_NEAR(results[i].front().score, sum / std::pow(base, 0.7), 1e-5);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(, TranslatorTest,
                         ::testing::Values("marian_models/shared", "marian_models/separate", "marian_models/untied",
                                           "encoder_decoders/shared", "encoder_decoders/separate",
                                           "encoder_decoders/untied"),
                         [](const auto& param) {
                           std::string name = param.param;
                           name[name.find('/')] = '_';
                           return name;
                         });

TEST(TranslatorOptionsTest, OfADirectory) {
  const TempDirectory directory;
  EXPECT_EQ(read_translator_options(directory.path()).beams, 4);
  EXPECT_EQ(read_translator_options(directory.path()).length_penalty, 0.6);
  write_file_atomically(directory / "config.json",
                        R"({"num_beams": 6, "bad_words_ids": [[58100]], "max_length": 512})");
  EXPECT_EQ(read_translator_options(directory.path()).beams, 6);
  EXPECT_THAT(read_translator_options(directory.path()).banned, ElementsAre(58100));
  EXPECT_EQ(read_translator_options(directory.path()).longest, 511);
  write_file_atomically(directory / "generation_config.json", R"({"bad_words_ids": [[1, 2]]})");
  try {
    read_translator_options(directory.path());
    ADD_FAILURE() << "two tokens are accepted";
  } catch (const DataError& error) {
    EXPECT_THAT(error.what(), HasSubstr("expected lists of one token id each"));
  }
}

// What is written is read, and the tokens that it names are followed.
TEST(TranslatorOptionsTest, OfAWrittenDirectory) {
  ThreadPool pool(1);
  const auto backend = make_cpu_backend(pool);
  const Model model = load_model(ROFORMER_SOURCE_DIR "/tests/fixtures/encoder_decoders/shared", *backend);
  const TempDirectory directory;
  const std::string path = directory / "generation_config.json";
  write_file_atomically(path, generation_config(model.config(), {.beams = 5, .length_penalty = 1.5, .longest = 63}));
  const Json json = JsonObject::read(path).value();
  EXPECT_EQ(json, Json({{"num_beams", 5},
                        {"length_penalty", 1.5},
                        {"max_length", 64},
                        {"early_stopping", false},
                        {"do_sample", false},
                        {"decoder_start_token_id", 28},
                        {"eos_token_id", 0},
                        {"pad_token_id", 28}}));
  const TranslatorOptions options = read_translator_options(directory.path());
  EXPECT_EQ(options.beams, 5);
  EXPECT_EQ(options.length_penalty, 1.5);
  EXPECT_EQ(options.longest, 63);
  EXPECT_EQ(generation_config(model.config(), options), read_file(path, 1 << 20));

  const TranslatorOptions more{
      .no_repeat_ngram = 3, .banned = {4, 5}, .start = 2, .ends = {0, 7}, .forced_end = 7, .renormalized = true};
  write_file_atomically(path, generation_config(model.config(), more));
  const TranslatorOptions read = read_translator_options(directory.path());
  EXPECT_EQ(generation_config(model.config(), read), read_file(path, 1 << 20));
  EXPECT_EQ(read.start, 2);
  EXPECT_THAT(read.ends, ElementsAre(0, 7));
  EXPECT_THAT(read.banned, ElementsAre(4, 5));

  // Every first token starts another text; an end that comes at once leaves nothing else.
  const std::vector<std::vector<int32_t>> sources{{16, 23, 11, 24, 14, 25, 2}};
  const auto usual = Translator(model, {.longest = 8}).run(sources).front().front().ids;
  EXPECT_EQ(Translator(model, {.longest = 8, .start = 28}).run(sources).front().front().ids, usual);
  EXPECT_NE(Translator(model, {.longest = 8, .start = 3}).run(sources).front().front().ids, usual);
  EXPECT_EQ(Translator(model, {.beams = 1, .longest = 8, .ends = {12}}).run(sources).front().front().ids,
            std::vector<int32_t>{12});
}

TEST(TranslatorOptionsTest, NothingLeftToFollow) {
  ThreadPool pool(1);
  const auto backend = make_cpu_backend(pool);
  const Model model = load_model(ROFORMER_SOURCE_DIR "/tests/fixtures/marian_models/shared", *backend);
  std::vector<int32_t> all(29);
  std::iota(all.begin(), all.end(), 0);
  const std::vector<std::vector<int32_t>> sources{{3, 5, 0}};
  EXPECT_THROW(Translator(model, {.banned = all}).run(sources), DataError);
}

TEST(TranslatorOptionsTest, OutOfRange) {
  ThreadPool pool(1);
  const auto backend = make_cpu_backend(pool);
  const Model model = load_model(ROFORMER_SOURCE_DIR "/tests/fixtures/marian_models/shared", *backend);
  EXPECT_THROW(Translator(model, {.beams = 0}), UsageError);
  EXPECT_THROW(Translator(model, {.beams = 2, .candidates = 3}), UsageError);
  EXPECT_THROW(Translator(model, {.no_repeat_ngram = -1}), UsageError);
  EXPECT_THROW(Translator(model, {.forced_end = 29}), DataError);
  EXPECT_THROW(Translator(model, {.start = 29}), DataError);
  const Model other = load_model(ROFORMER_SOURCE_DIR "/tests/fixtures/small_ragged", *backend);
  EXPECT_THROW(Translator(other, {}), DataError);
}

}  // namespace
}  // namespace roformer::test
