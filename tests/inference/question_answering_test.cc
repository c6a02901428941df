#include "inference/question_answering.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "base/error.h"
#include "base/file.h"
#include "tests/base/error_detail.h"
#include "tests/base/temp_directory.h"
#include "tests/inference/head_models.h"

namespace roformer {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

class QuestionAnswering : public testing::Test {
 protected:
  QuestionAnswering() {
    std::string vocabulary = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n";
    for (const char* token : {"the", "fox", "see", "run", "##s", "##ing", "##er", "##y", "who", "."}) {
      vocabulary += std::string(token) + "\n";
    }
    write_file_atomically(directory_ / "vocab.txt", vocabulary);
    write_file_atomically(directory_ / "tokenizer_config.json", R"({"tokenizer_class": "BertTokenizer"})");
    words_ = load_tokenizer(directory_.path());
  }
  Model model(const Tokenizer& tokenizer) {
    return random_model(*backend_, tokenizer.vocabulary_size(), Head::question_answering);
  }
  TextBatch batch_of(const Tokenizer& tokenizer, const std::vector<std::string>& texts,
                     const QuestionWindows& windows) {
    TextList list(texts);
    TextStream stream(list, encode_question(tokenizer, windows), {.max_tokens = 1 << 20}, pool_);
    TextBatch batch;
    EXPECT_TRUE(stream.next(batch));
    EXPECT_THAT(batch.items, SizeIs(texts.size()));
    return batch;
  }
  Answer answer(const Model& model, const Tokenizer& tokenizer, const std::string& text,
                const QuestionWindows& windows = {}, const AnswerOptions& options = {}) {
    return answer_questions(model, tokenizer, batch_of(tokenizer, {text}, windows), options).at(0);
  }

  // The definition: each window alone, all its spans.
  Answer by_hand(const Model& model, const Tokenizer& tokenizer, const std::string& question,
                 const std::string& context, const QuestionWindows& windows, const AnswerOptions& options) {
    std::vector<Answer> answers;
    for (const Encoding& window : encode_question(tokenizer, windows)(question + "\t" + context)) {
      Batch batch;
      batch.append(window.ids, window.segment_ids);
      const Context run{*backend_, nullptr, {}, false};
      const Tensor logits = model.logits(run, model.trunk().forward(run, batch), batch).data;
      const auto number = [&](size_t token, int column) {
        return std::exp(double{logits.row<float>(static_cast<int64_t>(token))[column]});
      };
      double sums[2] = {number(0, 0), number(0, 1)};  // [CLS]
      std::vector<size_t> tokens;
      for (size_t t = 0; t < window.ids.size(); ++t) {
        if (window.segment_ids[t] == 0 || window.offsets[t][1] == 0) continue;
        tokens.push_back(t);
        sums[0] += number(t, 0);
        sums[1] += number(t, 1);
      }
      std::vector<std::pair<double, std::pair<size_t, size_t>>> spans;
      for (const size_t s : tokens) {
        for (size_t e = s; e <= tokens.back() && e < s + static_cast<size_t>(options.max_tokens); ++e) {
          spans.push_back({number(s, 0) / sums[0] * number(e, 1) / sums[1], {s, e}});
        }
      }
      std::ranges::stable_sort(spans, std::greater<>(), [](const auto& span) { return span.first; });
      spans.resize(std::min<size_t>(spans.size(), options.align_to_words ? 12 : 1));
      for (auto [score, span] : spans) {
        auto [s, e] = span;
        const auto is_part = [&](size_t t) { return tokenizer.token(window.ids[t]).starts_with("##"); };
        while (options.align_to_words && s > tokens.front() && is_part(s)) --s;
        while (options.align_to_words && e < tokens.back() && is_part(e + 1)) ++e;
        const std::array<int64_t, 2> offsets = {window.offsets[s][0], window.offsets[e][1]};
        const std::string text =
            context.substr(static_cast<size_t>(offsets[0]), static_cast<size_t>(offsets[1] - offsets[0]));
        const auto same = std::ranges::find_if(answers, [&](const Answer& other) {
          return std::ranges::equal(other.text, text,
                                    [](char a, char b) { return std::tolower(a) == std::tolower(b); });
        });
        if (same != answers.end()) {
          same->score += score;
        } else {
          answers.push_back({text, score, offsets});
        }
      }
    }
    return *std::ranges::max_element(answers, {}, &Answer::score);
  }

  TempDirectory directory_;
  ThreadPool pool_{2};
  std::unique_ptr<Backend> backend_ = make_reference_backend(pool_);
  std::unique_ptr<Tokenizer> bytes_ = train_byte(), words_;
};

std::vector<std::string> contexts_of(const Tokenizer& tokenizer, const std::vector<Encoding>& windows) {
  std::vector<std::string> texts;
  for (const Encoding& window : windows) {
    std::string text;
    for (size_t t = 0; t < window.ids.size(); ++t) {
      if (window.segment_ids[t] == 1) text += tokenizer.decode({&window.ids[t], 1});
    }
    texts.push_back(text);
  }
  return texts;
}

TEST_F(QuestionAnswering, WindowsOverlapByTheStride) {
  const auto windows = encode_question(*bytes_, {.max_length = 9, .stride = 2})("qu\tabcdefghi");
  EXPECT_THAT(contexts_of(*bytes_, windows), ElementsAre("abcd", "cdef", "efgh", "ghi"));
  for (const Encoding& window : windows) {
    EXPECT_THAT(std::vector(window.ids.begin(), window.ids.begin() + 4), testing::ElementsAreArray([&] {
                  const auto alone = bytes_->encode("qu").ids;
                  return std::vector(alone.begin(), alone.end());
                }()));
    EXPECT_EQ(window.ids.back(), bytes_->sep_id());
    EXPECT_EQ(window.segment_ids.back(), 1);
    EXPECT_EQ(window.ids.size(), window.offsets.size());
  }
  EXPECT_THAT(windows[1].offsets[4], ElementsAre(2, 3));
  const auto texts = [&](const QuestionWindows& how, const std::string& item) {
    return contexts_of(*bytes_, encode_question(*bytes_, how)(item));
  };
  EXPECT_THAT(texts({.max_length = 9, .stride = 0}, "qu\tabcdefghi"), ElementsAre("abcd", "efgh", "i"));
  EXPECT_THAT(texts({.max_length = 9, .stride = 2}, "qu\tabcd"), ElementsAre("abcd"));
  EXPECT_THAT(texts({}, "qu\tabcdefghi"), ElementsAre("abcdefghi"));
  EXPECT_THAT(texts({.max_length = 9}, "qu\t"), ElementsAre(""));
  // Half of a window is no smaller than what the question leaves: one token less than that.
  EXPECT_THAT(texts({.max_length = 8}, "qu\tabcde"), ElementsAre("abc", "bcd", "cde"));
  EXPECT_THAT(texts({.max_length = 12}, "q\tabcdefghijk"), ElementsAre("abcdefgh", "cdefghij", "efghijk"));
}

TEST_F(QuestionAnswering, RefusesAQuestionThatFillsTheWindow) {
  const auto field = [&](const QuestionWindows& windows, const std::string& item) {
    return detail_of<DataError>([&] { encode_question(*bytes_, windows)(item); });
  };
  EXPECT_EQ(field({.max_length = 8}, "12345\tabc").field, "max_length");
  EXPECT_EQ(field({.max_length = 8, .stride = 4}, "1\tabcdef").field, "max_length");
  EXPECT_NO_THROW(encode_question(*bytes_, {.max_length = 8, .stride = 3})("1\tabcdef"));
  EXPECT_THROW(encode_question(*bytes_, {})("no tab"), DataError);
  EXPECT_THROW(encode_question(*bytes_, {.max_length = 2}), UsageError);
}

TEST_F(QuestionAnswering, WindowsAreAsLongAsTheModelReads) {
  ModelConfig config;
  EXPECT_EQ(question_windows(config, *bytes_, {}, {}).max_length, 384);
  EXPECT_EQ(question_windows(config, *bytes_, 0, {}).max_length, 0);
  EXPECT_EQ(question_windows(config, *bytes_, 500, 128).max_length, 500);
  bytes_->set_model_max_length(100);
  EXPECT_EQ(question_windows(config, *bytes_, {}, {}).max_length, 100);
  config.position = LearnedPosition{24};
  config.max_positions = 24;
  EXPECT_EQ(question_windows(config, *bytes_, {}, {}).max_length, 24);
  for (const int64_t bad : {-1, 24, 30}) {
    EXPECT_EQ(detail_of<UsageError>([&] { question_windows(config, *bytes_, {}, bad); }).field, "stride") << bad;
  }
}

TEST_F(QuestionAnswering, AnswersAreTheBestOfAllWindows) {
  const Model of_bytes = model(*bytes_), of_words = model(*words_);
  const std::string letters = "the fox SEES. The Fox sees the running fox", question = "who";
  const std::string context = "the foxes running fox. the runner sees runs running the seeing foxes . runny fox see";
  for (const bool align : {true, false}) {
    for (const int64_t longest : {1, 3, 30}) {
      for (const QuestionWindows& windows : {QuestionWindows{}, {10, {}}, {12, 4}, {11, 0}}) {
        const AnswerOptions options{longest, align};
        for (const auto& [m, tokenizer, text] :
             {std::tuple(&of_bytes, bytes_.get(), letters), {&of_words, words_.get(), context}}) {
          const Answer expected = by_hand(*m, *tokenizer, question, text, windows, options);
          const Answer found = answer(*m, *tokenizer, question + "\t" + text, windows, options);
          EXPECT_NEAR(found.score, expected.score, 1e-6) << align << longest << windows.max_length;
          EXPECT_EQ(found.text, expected.text) << align << longest << windows.max_length;
          EXPECT_EQ(found.offsets, expected.offsets) << align << longest << windows.max_length;
        }
      }
    }
  }
}

TEST_F(QuestionAnswering, AnswersAreWholeWords) {
  const Model m = model(*words_);
  int parts = 0;
  for (const std::string context : {"foxing sees", "runing foxs the fox", "runy seeing", "foxer runs"}) {
    for (const bool align : {true, false}) {
      const Answer found = answer(m, *words_, "who\t" + context, {}, {.max_tokens = 1, .align_to_words = align});
      const bool whole = (" " + context + " ").find(" " + found.text + " ") != std::string::npos;
      EXPECT_TRUE(whole || !align) << found.text;
      parts += whole ? 0 : 1;
    }
  }
  EXPECT_GT(parts, 0);
}

// A tokenizer.json of `model` and `pre_tokenizer` whose pairs are <s> question </s> context </s>, all of segment 0.
std::unique_ptr<Tokenizer> of_one_segment(const std::string& model, const std::string& pre_tokenizer) {
  const TempDirectory directory;
  const auto special = [](const std::string& id, const std::string& token) {
    return R"({"id": )" + id + R"(, "content": ")" + token + R"(", "single_word": false, "lstrip": false,
               "rstrip": false, "normalized": false, "special": true})";
  };
  const std::string begin = R"({"SpecialToken": {"id": "<s>", "type_id": 0}}, )",
                    end = R"({"SpecialToken": {"id": "</s>", "type_id": 0}})",
                    first = begin + R"({"Sequence": {"id": "A", "type_id": 0}}, )" + end;
  write_file_atomically(directory / "tokenizer.json", R"({"version": "1.0", "added_tokens": [)" + special("0", "<s>") +
                                                          ", " + special("1", "</s>") + ", " + special("2", "<unk>") +
                                                          R"(], "normalizer": null, "decoder": null,
      "pre_tokenizer": )" + pre_tokenizer + R"(, "post_processor": {"type": "TemplateProcessing", "single": [)" +
                                                          first + R"(], "pair": [)" + first +
                                                          R"(, {"Sequence": {"id": "B", "type_id": 0}}, )" + end +
                                                          R"(], "special_tokens": {
      "<s>": {"id": "<s>", "ids": [0], "tokens": ["<s>"]}, "</s>": {"id": "</s>", "ids": [1], "tokens": ["</s>"]}}},
      "model": )" + model + "}");
  write_file_atomically(directory / "tokenizer_config.json", R"({"tokenizer_class": "PreTrainedTokenizerFast",
      "cls_token": "<s>", "sep_token": "</s>", "unk_token": "<unk>"})");
  return load_tokenizer(directory.path());
}

TEST_F(QuestionAnswering, TheContextIsTheSecondTextInAnySegment) {
  const auto words = of_one_segment(R"({"type": "WordLevel", "unk_token": "<unk>", "vocab": {"<s>": 0, "</s>": 1,
      "<unk>": 2, "who": 3, "the": 4, "fox": 5, "runs": 6, "far": 7}})",
                                    R"({"type": "Whitespace"})");
  const QuestionWindows windows{.max_length = 6, .stride = 1};
  std::vector<std::string> contexts;
  for (const Encoding& window : encode_question(*words, windows)("who\tthe fox runs far")) {
    EXPECT_THAT(window.segment_ids, testing::Each(0));
    std::string& text = contexts.emplace_back();
    for (size_t t = window.pair[0]; t < window.pair[1]; ++t) text += words->token(window.ids[t]) + " ";
  }
  EXPECT_THAT(contexts, ElementsAre("the fox ", "fox runs ", "runs far "));
  const Model m = model(*words);
  const Answer found = answer(m, *words, "who\tthe fox runs far", windows, {.max_tokens = 1});
  EXPECT_THAT((std::vector<std::string>{"the", "fox", "runs", "far"}), testing::Contains(found.text));
  EXPECT_GT(found.score, 0);
}

// More tokens in its windows than are computed at once, between two short ones.
TEST_F(QuestionAnswering, ALongContextIsReadToItsEnd) {
  const Model m = model(*bytes_);
  std::string context;
  for (int i = 0; i < 900; ++i) context += static_cast<char>('a' + (i * i + i / 7) % 26);
  const QuestionWindows windows{.max_length = 32, .stride = 24};
  const AnswerOptions options{.max_tokens = 5, .align_to_words = false};
  const TextBatch batch = batch_of(*bytes_, {"q\tshort", "who\t" + context, "q\tthe end"}, windows);
  EXPECT_GT(batch.batch.tokens(), 6000);
  const auto answers = answer_questions(m, *bytes_, batch, options);
  const std::pair<std::string, std::string> items[] = {{"q", "short"}, {"who", context}, {"q", "the end"}};
  for (size_t i = 0; i < 3; ++i) {
    const Answer expected = by_hand(m, *bytes_, items[i].first, items[i].second, windows, options);
    EXPECT_NEAR(answers[i].score, expected.score, 1e-5);
    EXPECT_EQ(answers[i].offsets, expected.offsets);
  }
}

TEST_F(QuestionAnswering, AnswersAreCutAtCodePoints) {
  const Model m = model(*bytes_);
  const std::string context = "\xE4\xBD\xA0\xE5\xA5\xBD!";
  const Answer found = answer(m, *bytes_, "q\t" + context);
  EXPECT_THAT(context, HasSubstr(found.text));
  EXPECT_FALSE(found.text.empty());
  EXPECT_LE(found.offsets[1], 3);
  const Answer none = answer(m, *bytes_, "q\t");
  EXPECT_EQ(none.text, "");
  EXPECT_EQ(none.score, 0);
}

}  // namespace
}  // namespace roformer
