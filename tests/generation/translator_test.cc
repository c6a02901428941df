// Translation against transformers' generate() (tests/fixtures/README.md, "marian_models"), and its own promises.
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
  std::string directory() const { return ROFORMER_SOURCE_DIR "/tests/fixtures/marian_models/" + GetParam(); }
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

INSTANTIATE_TEST_SUITE_P(, TranslatorTest, ::testing::Values("shared", "separate", "untied"),
                         [](const auto& param) { return param.param; });

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
  const Model other = load_model(ROFORMER_SOURCE_DIR "/tests/fixtures/small_ragged", *backend);
  EXPECT_THROW(Translator(other, {}), DataError);
}

}  // namespace
}  // namespace roformer::test
