// Generated texts against passes without a cache, and finish reasons.
#include "generation/generate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "generation/continued_text.h"
#include "tests/base/temp_directory.h"
#include "text/learn/train.h"

namespace roformer {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

class Generate : public ::testing::Test {
 protected:
  ModelConfig config(const std::string& position = "rotary") {
    ModelConfig config;
    config.vocabulary = tokenizer_->vocabulary_size() + 2;
    config.hidden = config.embedding = 16;
    config.layers = 2;
    config.heads = 2;
    config.intermediate = 24;
    config.max_positions = 64;
    config.initializer_range = 0.6;
    config.head = Head::causal_lm;
    config.attention_mask = AttentionMask::causal;
    config.position = parse_position(position);
    complete(config, "");
    return config;
  }
  Model model(const ModelConfig& config) {
    Model result(*backend_, config, false);
    result.initialize({5, 0});
    return result;
  }
  static GenerationOptions greedy(int64_t tokens) {
    GenerationOptions options;
    options.sampling.greedy = true;
    options.max_new_tokens = tokens;
    return options;
  }
  std::vector<Generated> run(const Model& model, const GenerationOptions& options,
                             const std::vector<std::string>& texts, std::vector<std::string>* shown = nullptr) {
    const TextGenerator generator(model, *tokenizer_, options);
    std::vector<Prompt> prompts;
    for (const std::string& text : texts) prompts.push_back(generator.prompt(text, std::ssize(prompts)));
    std::vector<std::string> seen(texts.size());
    auto results = generator.run(prompts, [&](size_t i, const std::string& text) { seen[i] += text; });
    for (size_t i = 0; i < texts.size(); ++i) EXPECT_EQ(seen[i], results[i].text);
    if (shown != nullptr) *shown = seen;
    return results;
  }

  // Greedy decoding, with a pass over the whole text for each token.
  std::vector<int32_t> without_cache(const Model& model, std::vector<int32_t> ids, int64_t tokens,
                                     AttentionMask attention_mask) {
    const size_t prompt = ids.size();
    while (std::ssize(ids) < static_cast<int64_t>(prompt) + tokens) {
      Batch batch;
      std::vector<int32_t> segments(ids.size());
      for (size_t i = prompt; i < ids.size() && attention_mask == AttentionMask::prefix; ++i) segments[i] = 1;
      batch.append(ids, segments);
      const Context context{.backend = *backend_};
      const Value hidden = model.trunk().forward(context, batch, {.attention_mask = attention_mask});
      const Tensor logits = model.logits(context, hidden, batch).data;
      const float* last = logits.row<float>(logits.rows() - 1);
      ids.push_back(static_cast<int32_t>(std::max_element(last, last + tokenizer_->vocabulary_size()) - last));
      if (ids.back() == tokenizer_->sep_id()) break;
    }
    return {ids.begin() + static_cast<int64_t>(prompt), ids.end()};
  }

  ThreadPool pool_{2};
  std::unique_ptr<Backend> backend_ = make_cpu_backend(pool_);
  std::unique_ptr<Tokenizer> tokenizer_ = train_byte();
};

TEST_F(Generate, GreedyIsTheModelsOwnChoice) {
  for (const char* position : {"rotary", "alibi", "learned", "transformer-xl"}) {
    const Model causal = model(config(position));
    const auto results = run(causal, greedy(20), {"In the beginning", "", "G"});
    const TextGenerator generator(causal, *tokenizer_, greedy(20));
    const std::vector<std::string> texts{"In the beginning", "", "G"};
    for (size_t i = 0; i < texts.size(); ++i) {
      const Prompt prompt = generator.prompt(texts[i], 0);
      EXPECT_EQ(prompt.ids.front(), tokenizer_->cls_id());
      EXPECT_NE(prompt.ids.back(), tokenizer_->sep_id());
      EXPECT_EQ(results[i].ids, without_cache(causal, prompt.ids, 20, AttentionMask::causal)) << position << i;
    }
  }
}

TEST_F(Generate, AnEndTokenThatTheUserWroteStays) {
  const Model causal = model(config());
  const TextGenerator generator(causal, *tokenizer_, greedy(20));
  std::vector<int32_t> expected = generator.prompt("abc", 0).ids;
  expected.push_back(tokenizer_->sep_id());
  EXPECT_EQ(generator.prompt("abc[SEP]", 0).ids, expected);
  const Generated continued = run(causal, greedy(20), {"abc[SEP]"})[0];
  EXPECT_EQ(continued.ids, without_cache(causal, expected, 20, AttentionMask::causal));
}

TEST_F(Generate, TheContextCountsTheScaling) {
  ModelConfig scaled = config();
  std::get<RotaryPosition>(scaled.position).rotary.scaling = LinearScaling{4};
  const Model causal = model(scaled);
  EXPECT_EQ(TextGenerator(causal, *tokenizer_, greedy(1)).window(), 256);
  GenerationOptions options = greedy(1);
  options.window = 64;
  EXPECT_EQ(TextGenerator(causal, *tokenizer_, options).window(), 64);
  EXPECT_EQ(TextGenerator(model(config()), *tokenizer_, greedy(1)).window(), 64);
}

TEST_F(Generate, ATemperatureNearZeroIsGreedy) {
  const Model causal = model(config());
  GenerationOptions options = greedy(20);
  const auto best = run(causal, options, {"abc"})[0].ids;
  options.sampling = {.temperature = std::numeric_limits<double>::denorm_min(), .top_k = 50};
  EXPECT_EQ(run(causal, options, {"abc"})[0].ids, best);
}

TEST_F(Generate, PrefixModelsAnswerInSegmentOne) {
  ModelConfig both = config();
  both.attention_mask = AttentionMask::bidirectional;
  both.head = Head::masked_lm;
  const Model sim = model(both);
  EXPECT_THAT([&] { TextGenerator(sim, *tokenizer_, greedy(5)); }, ThrowsMessage<DataError>(HasSubstr("prefix")));
  GenerationOptions options = greedy(12);
  options.attention_mask = AttentionMask::prefix;
  const TextGenerator generator(sim, *tokenizer_, options);
  const Prompt prompt = generator.prompt("abc", 0);
  EXPECT_EQ(prompt.ids.back(), tokenizer_->sep_id());
  EXPECT_EQ(run(sim, options, {"abc"})[0].ids, without_cache(sim, prompt.ids, 12, AttentionMask::prefix));
}

TEST_F(Generate, ATextDependsOnSeedAndNumberOnly) {
  const ModelConfig shape = config();
  const std::vector<std::string> texts{"In the", "beginning God created the heaven", "", "and the earth"};
  GenerationOptions options;
  options.max_new_tokens = 30;
  options.seed = 7;
  options.sampling = {.temperature = 1.3, .top_k = 100, .top_p = 0.95};
  std::vector<Generated> first;
  for (const int threads : {1, 2}) {
    ThreadPool pool(threads);
    const auto backend = make_cpu_backend(pool);
    Model causal(*backend, shape, false);
    causal.initialize({5, 0});
    const auto together = run(causal, options, texts);
    if (first.empty()) first = together;
    const TextGenerator generator(causal, *tokenizer_, options);
    for (size_t i = 0; i < texts.size(); ++i) {
      EXPECT_EQ(together[i].ids, first[i].ids) << threads;
      const Prompt alone = generator.prompt(texts[i], static_cast<int64_t>(i));
      EXPECT_EQ(generator.run({&alone, 1}, [](size_t, const std::string&) {})[0].ids, first[i].ids);
    }
  }
  options.seed = 8;
  EXPECT_NE(run(model(shape), options, texts)[1].ids, first[1].ids);
}

TEST_F(Generate, StopsBeforeAStringAndShowsNothingOfIt) {
  const Model causal = model(config());
  GenerationOptions options;
  options.max_new_tokens = 40;
  options.sampling.temperature = 2;
  options.end_ids = std::vector<int32_t>{};
  const std::string whole = run(causal, options, {"abc"})[0].text;
  ASSERT_GT(whole.size(), 20u);
  const std::string stop = whole.substr(9, 5);
  options.stops = {"never there", stop};
  const auto stopped = run(causal, options, {"abc"});
  EXPECT_EQ(stopped[0].text, whole.substr(0, whole.find(stop)));
  EXPECT_EQ(stopped[0].finish, FinishReason::stop);
  options.stops = {"never there"};
  EXPECT_EQ(run(causal, options, {"abc"})[0].text, whole);
}

TEST_F(Generate, EndsAtItsTokensAndNotTooEarly) {
  const Model causal = model(config());
  GenerationOptions options = greedy(20);
  options.end_ids = std::vector<int32_t>{};
  const Generated whole = run(causal, options, {"abc"})[0];
  EXPECT_EQ(whole.finish, FinishReason::length);
  EXPECT_EQ(whole.ids.size(), 20u);
  options.end_ids = std::vector<int32_t>{whole.ids[4]};
  const auto first = std::find(whole.ids.begin(), whole.ids.end(), whole.ids[4]) - whole.ids.begin();
  const Generated ended = run(causal, options, {"abc"})[0];
  EXPECT_EQ(ended.finish, FinishReason::end);
  EXPECT_EQ(std::ssize(ended.ids), first + 1);
  // With all tokens but one as end tokens, min_new_tokens = 10 yields that one ten times.
  options.end_ids->clear();
  for (int32_t id = 0; id < tokenizer_->vocabulary_size(); ++id) {
    if (id != whole.ids[0]) options.end_ids->push_back(id);
  }
  options.min_new_tokens = 10;
  std::vector<int32_t> late = run(causal, options, {"abc"})[0].ids;
  late.pop_back();
  EXPECT_EQ(late, std::vector<int32_t>(10, whole.ids[0]));
  EXPECT_TRUE(run(causal, greedy(0), {"abc"})[0].ids.empty());
}

TEST_F(Generate, OverflowShiftsStopsOrFails) {
  const Model causal = model(config());
  GenerationOptions options = greedy(30);
  options.end_ids = std::vector<int32_t>{};
  const auto unlimited = run(causal, options, {"abc"})[0];
  options.window = 16;
  const auto shifted = run(causal, options, {"abc", "a prompt of more than sixteen tokens"});
  EXPECT_EQ(shifted[0].ids.size(), 30u);
  EXPECT_EQ(shifted[1].ids.size(), 30u);
  EXPECT_TRUE(std::equal(unlimited.ids.begin(), unlimited.ids.begin() + 13, shifted[0].ids.begin()));
  const TextGenerator generator(causal, *tokenizer_, options);
  const Prompt cut = generator.prompt("a prompt of more than sixteen tokens", 0);
  EXPECT_EQ(cut.dropped, 37 - 16);
  EXPECT_EQ(cut.ids.size(), 16u);
  EXPECT_EQ(cut.ids.front(), tokenizer_->cls_id());
  EXPECT_EQ(tokenizer_->decode(cut.ids), " sixteen tokens");
  EXPECT_EQ(generator.prompt("abc", 0).dropped, 0);
  options.overflow = Overflow::stop;
  const auto stopped = run(causal, options, {"abc"})[0];
  EXPECT_EQ(stopped.finish, FinishReason::window);
  EXPECT_EQ(stopped.ids.size(), 13u);  // [CLS] a b c and twelve of them fill it; one more is known
  EXPECT_THAT([&] { run(causal, options, {"a prompt of more than sixteen tokens"}); },
              ThrowsMessage<DataError>(HasSubstr("expected at most 16")));
  options.overflow = Overflow::error;
  EXPECT_THAT([&] { run(causal, options, {"abc"}); }, ThrowsMessage<DataError>(HasSubstr("context of 16")));

  const Model learned = model(config("learned"));
  GenerationOptions plain = greedy(1000);
  plain.end_ids = std::vector<int32_t>{};
  EXPECT_EQ(run(learned, plain, {"abc"})[0].finish, FinishReason::window);
  plain.overflow = Overflow::shift;
  EXPECT_THAT([&] { run(learned, plain, {"abc"}); }, ThrowsMessage<UsageError>(HasSubstr("learned encoding")));
  plain.overflow = {};
  plain.window = 65;
  EXPECT_THAT([&] { run(learned, plain, {"abc"}); }, ThrowsMessage<UsageError>(HasSubstr("at most 64")));
}

// With one layer, a token's keys and values do not depend on earlier tokens, so a shifted text equals one without the
// older half after its first token.
TEST_F(Generate, AShiftKeepsTheFirstTokenAndTheNewerHalf) {
  ModelConfig shallow = config();
  shallow.layers = 1;
  const Model causal = model(shallow);
  GenerationOptions options = greedy(40);
  options.end_ids = std::vector<int32_t>{};
  options.window = 16;
  std::vector<int32_t> kept = TextGenerator(causal, *tokenizer_, options).prompt("abc", 0).ids, expected;
  while (expected.size() < 40) {
    expected.push_back(without_cache(causal, kept, 1, AttentionMask::causal)[0]);
    if (kept.size() == 16) kept.erase(kept.begin() + 1, kept.begin() + 1 + 15 / 2);
    kept.push_back(expected.back());
  }
  EXPECT_EQ(run(causal, options, {"abc"})[0].ids, expected);
}

TEST_F(Generate, NamesTheMemoryOfAWindowBeforeTakingIt) {
  const Model causal = model(config());
  GenerationOptions options = greedy(5);
  options.window = int64_t{1} << 40;
  EXPECT_THAT([&] { TextGenerator(causal, *tokenizer_, options); },
              ThrowsMessage<DataError>(HasSubstr(std::to_string((int64_t{1} << 40) * 2 * 2 * 16 * 4) + " bytes")));
}

TEST_F(Generate, NamesNonFiniteWeights) {
  const Model causal = model(config());
  const NamedParameter& bad = causal.parameters()[7];
  bad.parameter.value.data<float>()[0] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THAT([&] { run(causal, greedy(5), {"abc"}); }, ThrowsMessage<DataError>(HasSubstr(bad.name)));
}

// Neither written nor chosen.
TEST_F(Generate, TokensBeyondTheModelsRows) {
  ModelConfig small = config();
  small.vocabulary = 100;
  const Model causal = model(small);
  const TextGenerator generator(causal, *tokenizer_, greedy(5));
  EXPECT_THAT([&] { generator.prompt("\xc3\xbf", 0); }, ThrowsMessage<DataError>(HasSubstr("the model's 100 rows")));
  const std::vector<int32_t> ids = run(causal, greedy(5), {"!"}).at(0).ids;
  EXPECT_EQ(ids.size(), 5u);
  for (const int32_t id : ids) EXPECT_LT(id, 100);
}

// The score equals the sum of the model's log probabilities.
TEST_F(Generate, StopsWhenItIsAsked) {
  const Model causal = model(config());
  std::stop_source stop;
  for (const int64_t beams : {1, 2}) {
    GenerationOptions options = greedy(40);
    options.min_new_tokens = 40;
    options.beams = beams;
    options.stop_token = stop.get_token();
    EXPECT_EQ(run(causal, options, {"ab"}).at(0).ids.size(), 40u);
  }
  int pieces = 0;
  GenerationOptions options = greedy(40);
  options.min_new_tokens = 40;
  options.stop_token = stop.get_token();
  const TextGenerator generator(causal, *tokenizer_, options);
  const auto sink = [&](size_t, const std::string&) {
    if (++pieces == 3) stop.request_stop();
  };
  EXPECT_THROW(generator.run(std::vector{generator.prompt("ab", 0)}, sink), Interrupted);
  EXPECT_EQ(pieces, 3);
}

TEST_F(Generate, BeamsAreAtLeastAsGoodAsGreedy) {
  const Model causal = model(config());
  const auto score = [&](const std::vector<int32_t>& generated) {
    std::vector<int32_t> ids = TextGenerator(causal, *tokenizer_, greedy(1)).prompt("abc", 0).ids;
    const size_t prompt = ids.size();
    ids.insert(ids.end(), generated.begin(), generated.end());
    Batch batch;
    batch.append(ids);
    const Context context{.backend = *backend_};
    const Tensor logits = causal.logits(context, causal.trunk().forward(context, batch), batch).data;
    double sum = 0;
    for (size_t i = prompt; i < ids.size(); ++i) {
      const float* row = logits.row<float>(static_cast<int64_t>(i) - 1);
      std::vector<double> logs(row, row + tokenizer_->vocabulary_size());
      normalize_logs(logs);
      sum += logs[static_cast<size_t>(ids[i])];
    }
    return sum / static_cast<double>(generated.size());
  };
  GenerationOptions options = greedy(12);
  const Generated alone = run(causal, options, {"abc"})[0];
  options.beams = 8;
  const Generated beams = run(causal, options, {"abc"})[0];
  EXPECT_NEAR(beams.score, score(beams.ids), 1e-4);
  EXPECT_GE(beams.score, score(alone.ids) - 1e-4);
  options.window = 10;
  EXPECT_EQ(std::ssize(run(causal, options, {"abc"})[0].ids), std::ssize(run(causal, options, {"abc"})[0].ids));
}

TEST_F(Generate, EndTokensAreThoseOfTheDirectory) {
  const TempDirectory directory;
  const auto write = [&](const std::string& name, const std::string& text) {
    FileWriter file(directory / name, FileWriter::Mode::replace);
    file.write(text);
    file.close();
  };
  const ModelConfig shape = config();
  EXPECT_EQ(named_end_ids(directory.path(), shape), std::nullopt);
  write("config.json", R"({"eos_token_id": 102})");
  EXPECT_EQ(named_end_ids(directory.path(), shape), std::vector<int32_t>{102});
  write("generation_config.json", R"({"eos_token_id": [3, 4]})");
  EXPECT_EQ(named_end_ids(directory.path(), shape), (std::vector<int32_t>{3, 4}));
  write("generation_config.json", R"({"eos_token_id": "3"})");
  EXPECT_THAT([&] { named_end_ids(directory.path(), shape); }, ThrowsMessage<DataError>(HasSubstr("eos_token_id")));
  std::vector<std::string> warnings;
  write("generation_config.json", R"({"eos_token_id": [3, 100000, -1]})");
  EXPECT_EQ(named_end_ids(directory.path(), shape, &warnings), std::vector<int32_t>{3});
  EXPECT_THAT(warnings, testing::ElementsAre(HasSubstr("names 100000"), HasSubstr("names -1")));
}

// A character arrives byte by byte; a stop string begins but does not complete.
TEST_F(Generate, TextIsGivenOutWhenItIsCertain) {
  const std::vector<std::string> stops{"abd"};
  ContinuedText text(*tokenizer_, {}, stops);
  std::vector<std::string> parts;
  for (const int32_t id : tokenizer_->encode_plain("\xE4\xBD\xA0xabcab")) parts.push_back(text.push(id));
  parts.push_back(text.finish());
  EXPECT_THAT(parts, ElementsAre("", "", "\xE4\xBD\xA0", "x", "", "", "abc", "", "", "ab"));
  EXPECT_FALSE(text.stopped());
  EXPECT_THAT([&] { ContinuedText(*tokenizer_, {}, std::vector<std::string>{""}); },
              ThrowsMessage<UsageError>(HasSubstr("empty")));
}

TEST_F(Generate, ASinkMayEndItsTextAndNoOther) {
  const Model m = model(config());
  GenerationOptions options;
  options.max_new_tokens = options.min_new_tokens = 6;
  options.batch = 3;
  const std::vector<std::string> texts = {"ab", "c", "defg"};
  const auto whole = run(m, options, texts);
  const TextGenerator generator(m, *tokenizer_, options);
  std::vector<int64_t> calls(texts.size());
  const auto results = generator.run_texts(
      texts, [&](size_t index, int32_t, const std::string&) { return ++calls[index] < 3 || index != 1; });
  EXPECT_EQ(results[0].ids, whole[0].ids);
  EXPECT_EQ(results[2].ids, whole[2].ids);
  EXPECT_EQ(results[1].ids, std::vector<int32_t>(whole[1].ids.begin(), whole[1].ids.begin() + 3));
  EXPECT_EQ(results[1].finish, FinishReason::halted);
  EXPECT_EQ(results[0].finish, FinishReason::length);
}

TEST_F(Generate, TextsInMemoryAreWhatTheyAreInOneRun) {
  const Model m = model(config());
  const std::vector<std::string> texts = {"ab", "c", "", "defg", "h"};
  GenerationOptions options;
  options.max_new_tokens = 6;
  options.batch = 5;
  const auto together = run(m, options, texts);
  options.batch = 2;
  const TextGenerator generator(m, *tokenizer_, options);
  std::vector<std::string> shown(texts.size());
  std::vector<std::vector<int32_t>> tokens(texts.size());
  const auto results = generator.run_texts(texts, [&](size_t index, int32_t id, const std::string& text) {
    shown[index] += text;
    tokens[index].push_back(id);
    return true;
  });
  ASSERT_EQ(results.size(), texts.size());
  for (size_t i = 0; i < texts.size(); ++i) {
    EXPECT_EQ(results[i].ids, together[i].ids);
    EXPECT_EQ(shown[i], results[i].text);
    EXPECT_EQ(tokens[i], results[i].ids);
  }
  const auto ignore = [](size_t, int32_t, const std::string&) { return true; };
  const std::vector<std::string> wrong = {"a", "\xff"};
  EXPECT_THAT([&] { generator.run_texts(wrong, ignore); }, ThrowsMessage<DataError>(HasSubstr("text 2: ")));
  options.batch = 0;
  EXPECT_THROW(TextGenerator(m, *tokenizer_, options), UsageError);
  options.batch = 1;
  options.attention_mask = AttentionMask::bidirectional;
  EXPECT_THROW(TextGenerator(m, *tokenizer_, options), UsageError);
}

}  // namespace
}  // namespace roformer
