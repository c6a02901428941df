// Translation against transformers' generate() (tests/fixtures/README.md, "marian_models" and
// "encoder_decoders"), and its own promises.
#include "generation/translator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>
#include <numeric>
#include <set>
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

// With the coverage penalty, too: of all candidates, in beams and greedily.
TEST_P(TranslatorTest, CoverageIsThatOfForcedDecoding) {
  for (Backend* backend : {exact_.get(), cpu_.get()}) {
    const Model model = load_model(directory(), *backend);
    for (const int64_t beams : {1, 4}) {
      const Translator translator(
          model, {.beams = beams, .coverage_penalty = 0.8, .alignment_layer = 2, .candidates = beams, .longest = 3});
      const auto results = translator.run(sources());
      std::vector<std::vector<int32_t>> from, to;
      std::vector<double> scores;
      for (size_t i = 0; i < results.size(); ++i) {
        for (const Hypothesis& one : results[i]) {
          from.push_back(sources()[i]);
          to.push_back(one.ids);
          scores.push_back(one.score);
        }
        EXPECT_TRUE(std::ranges::is_sorted(results[i], std::greater(), &Hypothesis::score));
      }
      const auto logs = translator.score(from, to);
      const auto coverage = translator.coverage(from, to);
      EXPECT_LT(std::accumulate(coverage.begin(), coverage.end(), 0.0), -0.1);
      for (size_t i = 0; i < to.size(); ++i) {
        const double sum = std::accumulate(logs[i].begin(), logs[i].end(), 0.0);
        const double expected = hypothesis_score(sum, to[i].size(), 0.6, LengthPenalty::power) + coverage[i];
        EXPECT_LE(coverage[i], 0);
        EXPECT_NEAR(scores[i], expected, std::abs(expected) * (backend == cpu_.get() ? 1e-5 : 1e-9));
      }
    }
  }
}

// A draw is a function of its random stream: of nothing else, the batch, the number of draws and of threads included.
TEST_P(TranslatorTest, DrawsDependOnTheirRandomNumbersAlone) {
  const Model model = load_model(directory(), *cpu_);
  const auto all = sources();
  std::vector<SourceSettings> settings;
  for (size_t i = 0; i < all.size(); ++i) settings.push_back({.random = {5, 100 + i}});
  TranslatorOptions options{.sampling = SamplingOptions{.temperature = 5}, .candidates = 3, .longest = 12};
  const auto together = Translator(model, options).run(all, settings);
  options.batch_tokens = 1;
  options.candidates = 1;
  const Translator alone(model, options);
  std::set<std::vector<int32_t>> different;
  for (size_t i = 0; i < all.size(); ++i) {
    ASSERT_EQ(together[i].size(), 3u);
    const auto one = alone.run({&all[i], 1}, {&settings[i], 1});
    EXPECT_EQ(one.front().front().ids, together[i].front().ids);
    for (const Hypothesis& draw : together[i]) different.insert(draw.ids);
  }
  EXPECT_GT(different.size(), 2 * all.size());
  ThreadPool one(1);
  const auto backend = make_cpu_backend(one);
  const Model same = load_model(directory(), *backend);
  options.candidates = 3;
  options.batch_tokens = 4096;
  const auto again = Translator(same, options).run(all, settings);
  for (size_t i = 0; i < all.size(); ++i) {
    for (size_t k = 0; k < 3; ++k) EXPECT_EQ(again[i][k].ids, together[i][k].ids);
  }
  for (SourceSettings& one_settings : settings) one_settings.random.seed = 6;
  EXPECT_NE(Translator(model, options).run(all, settings)[0][0].ids, together[0][0].ids);
}

TEST_P(TranslatorTest, DrawsOfTheMostProbableAreGreedy) {
  const Model model = load_model(directory(), *cpu_);
  const auto greedy = Translator(model, {.beams = 1, .longest = 12}).run(sources());
  for (const SamplingOptions& sampling : {SamplingOptions{.temperature = 0}, SamplingOptions{.top_k = 1}}) {
    const auto drawn = Translator(model, {.sampling = sampling, .candidates = 2, .longest = 12}).run(sources());
    for (size_t i = 0; i < greedy.size(); ++i) {
      for (const Hypothesis& draw : drawn[i]) {
        EXPECT_EQ(draw.ids, greedy[i].front().ids);
        EXPECT_NEAR(draw.score, greedy[i].front().score, 1e-5);
      }
    }
  }
}

// How often a first token is drawn is its probability; the score is that of the tokens, whatever they were drawn by.
TEST_P(TranslatorTest, DrawsFollowTheModel) {
  const Model model = load_model(directory(), *exact_);
  const std::vector<std::vector<int32_t>> source{sources()[0]};
  constexpr int64_t kDraws = 4000;
  const TranslatorOptions options{
      .sampling = SamplingOptions{.temperature = 0.5}, .candidates = kDraws, .max_new_tokens = 1};
  const Translator translator(model, options);
  const SourceSettings settings{.random = {1, 2}};
  const auto draws = translator.run(source, {&settings, 1}).front();
  std::map<int32_t, int64_t> counts;
  for (const Hypothesis& draw : draws) ++counts[draw.ids.at(0)];
  std::map<int32_t, double> logs;
  double total = 0;
  for (const auto& [id, count] : counts) {
    logs[id] = translator.score(source, std::vector<std::vector<int32_t>>{{id}})[0][0];
    total += std::exp(2 * logs[id]);
  }
  for (const auto& [id, count] : counts) {
    const double expected = std::exp(2 * logs[id]) / total;
    EXPECT_NEAR(static_cast<double>(count) / kDraws, expected, 4 * std::sqrt(expected / kDraws) + 1e-3) << id;
  }
  for (const Hypothesis& draw : draws) EXPECT_NEAR(draw.score, logs[draw.ids[0]], 1e-9);
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

// A decoder whose second layer attends to the tokens that equal its own, and whose first one attends to all equally.
class EqualTokens : public ::testing::Test {
 protected:
  EqualTokens() {
    model_.initialize({3, 0});
    for (const NamedParameter& named : model_.parameters()) {
      const std::string& name = named.name;
      const auto has = [&](const char* part) { return name.find(part) != name.npos; };
      if (has("out_proj") || has("fc2")) fill(named.parameter, [](int64_t, int64_t) { return 0; });
      if (!has("encoder_attn.q_proj") && !has("encoder_attn.k_proj")) continue;
      const double own = has("layers.1.") && has("weight") ? 2 : 0;
      fill(named.parameter, [&](int64_t i, int64_t j) { return i == j ? own : 0; });
    }
  }

  template <class Value>
  void fill(const Parameter& parameter, const Value& value) {
    const Tensor& x = parameter.value;
    backend_->write(x, [&](const Tensor& host) {
      for (int64_t i = 0; i < host.rows(); ++i) {
        for (int64_t j = 0; j < host.columns(); ++j) host.row<double>(i)[j] = value(i, j);
      }
    });
  }
  static ModelConfig config() {
    const Json json = {{"model_type", "marian"},
                       {"architectures", {"MarianMTModel"}},
                       {"vocab_size", 20},
                       {"d_model", 32},
                       {"encoder_layers", 1},
                       {"decoder_layers", 2},
                       {"encoder_attention_heads", 2},
                       {"decoder_attention_heads", 2},
                       {"encoder_ffn_dim", 8},
                       {"decoder_ffn_dim", 8},
                       {"pad_token_id", 19},
                       {"decoder_start_token_id", 19},
                       {"init_std", 1.0},
                       {"scale_embedding", true}};
    return read_config(JsonObject(json, "config.json"));
  }

  ThreadPool pool_{1};
  std::unique_ptr<Backend> backend_ = make_reference_backend(pool_, DType::float64);
  Model model_{*backend_, config(), false};
  static bool any(int32_t) { return true; }
};

TEST_F(EqualTokens, AreAligned) {
  const Translator translator(model_, {.alignment_layer = 2});
  const std::vector<std::vector<int32_t>> sources{{3, 7, 5, 9, 0}, {11, 4, 0}}, targets{{5, 3, 9, 9, 7, 0}, {4, 11, 4}};
  const auto links = translator.align(sources, targets, any);
  EXPECT_THAT(links[0], ElementsAre(2, 0, 3, 3, 1, 4));
  EXPECT_THAT(links[1], ElementsAre(1, 0, 1));
  // Only to those that may be.
  const auto others = translator.align(sources, targets, [](int32_t id) { return id != 9 && id != 0; });
  EXPECT_THAT(others[0], ElementsAre(2, 0, ::testing::AnyOf(0, 1, 2), ::testing::AnyOf(0, 1, 2), 1, ::testing::_));
  EXPECT_THAT(translator.align(sources, targets, [](int32_t) { return false; })[1], ElementsAre(-1, -1, -1));
  // The first layer, which does not tell tokens apart, is the middle one of two.
  EXPECT_THAT(Translator(model_, {}).align(sources, targets, any)[1], ElementsAre(0, 0, 0));
}

// Rows that generate the tokens read the one before, so that a target which repeats the source covers it.
TEST_F(EqualTokens, AreCovered) {
  const Translator translator(model_, {.coverage_penalty = 1, .alignment_layer = 2});
  const std::vector<std::vector<int32_t>> sources{{3, 7, 5, 9}, {3, 7, 5, 9}, {3, 7, 5, 9}};
  const std::vector<std::vector<int32_t>> targets{{3, 7, 5, 9, 0}, {3, 7, 0}, {3, 3, 3, 3, 0}};
  const auto all = translator.coverage(sources, targets);
  EXPECT_NEAR(all[0], 0, 0.05);
  EXPECT_LT(all[1], -2);
  EXPECT_LT(all[2], all[1]);
  const double twice = Translator(model_, {.coverage_penalty = 2, .alignment_layer = 2}).coverage(sources, targets)[1];
  EXPECT_NEAR(twice, 2 * all[1], 1e-12);
  // What a layer that attends to all equally covers: Σ over 4 of ln(3 / 4).
  EXPECT_NEAR(Translator(model_, {.coverage_penalty = 1, .alignment_layer = 1}).coverage(sources, targets)[1],
              4 * std::log(0.75), 1e-12);
}

TEST_F(EqualTokens, LayersOutOfRange) {
  EXPECT_THROW(Translator(model_, {.alignment_layer = 0}), UsageError);
  EXPECT_THROW(Translator(model_, {.alignment_layer = 3}), UsageError);
  EXPECT_THROW(Translator(model_, {.coverage_penalty = -1}), UsageError);
  EXPECT_THROW(Translator(model_, {.sampling = SamplingOptions{.top_p = 0}}), UsageError);
}

}  // namespace
}  // namespace roformer::test
