// The loss that training starts from is the one that evaluation finds.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "base/file.h"
#include "models/save_model.h"
#include "tasks/finetune.h"
#include "tests/tasks/word_tokenizer.h"

namespace roformer {
namespace {

class FinetuneLossTest : public testing::Test {
 protected:
  static constexpr int64_t kMost = 1 << 20;  // bytes of a file that is read

  FinetuneLossTest() {
    ModelConfig config;
    config.vocabulary = tokenizer_->vocabulary_size();
    config.hidden = config.embedding = 8;
    config.layers = 1;
    config.heads = 2;
    config.intermediate = 12;
    config.initializer_range = 0.5;
    config.hidden_dropout = config.attention_dropout = 0;
    complete(config, "");
    Model model(*backend_, config, false);
    model.initialize({1, 0});
    save_model(model, tokenizer_->files(), directory_ / "model");
  }

  // The losses of the first step and of the evaluation, with no change between them.
  std::pair<double, double> losses(const std::string& task, const std::string& examples) {
    const std::string file = directory_ / (task + ".jsonl"), output = directory_ / task;
    write_file_atomically(file, examples);
    FinetuneOptions options;
    options.model = directory_ / "model";
    options.task = task;
    options.train = options.validation = {file};
    options.output = output;
    options.max_length = 16;
    options.schedule.steps = 1;
    options.schedule.learning_rate = 0;
    options.log_every = 1;
    options.messages.write = [](std::string_view) {};
    finetune(options, *backend_);
    double first = -1;
    std::istringstream log(read_file(output + "/log.jsonl", kMost));
    for (std::string line; first < 0 && std::getline(log, line);) {
      const Json entry = Json::parse(line);
      if (entry.at("event") == "train") first = entry.at("loss");
    }
    return {first, Json::parse(read_file(output + "/evaluation.json", kMost)).at("loss")};
  }
  void expect_equal(const std::pair<double, double>& losses) {
    EXPECT_GT(losses.first, 0);
    EXPECT_NEAR(losses.first, losses.second, 1e-6);
  }

  TempDirectory directory_;
  std::unique_ptr<Tokenizer> tokenizer_ = word_tokenizer(directory_);
  ThreadPool pool_{1};
  std::unique_ptr<Backend> backend_ = make_reference_backend(pool_);
};

TEST_F(FinetuneLossTest, OfClasses) {
  expect_equal(losses("classification", R"({"text": "the fox", "label": "x"})"
                                        "\n"
                                        R"({"text": "who runs", "label": "y"})"));
}

// Choices and places of answers are no labels, whose weights there are.
TEST_F(FinetuneLossTest, OfChoices) {
  expect_equal(losses("multiple-choice", R"({"prompt": "the fox", "choices": ["a", "runs", "b c", "who"], "label": 3})"
                                         "\n"
                                         R"({"prompt": "a", "choices": ["b", "c", ".", "the fox"], "label": 1})"));
}

TEST_F(FinetuneLossTest, OfAnswers) {
  expect_equal(losses("question-answering",
                      R"({"question": "who runs", "context": "a b c the fox runs .", "answers": ["the fox"]})"
                      "\n"
                      R"({"question": "who", "context": "a b c . see the fox", "answers": ["see the fox"]})"));
}

}  // namespace
}  // namespace roformer
