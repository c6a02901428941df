// A tiny model with random weights, and labeled files that it can learn, for each kind of task.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>

#include "base/file.h"
#include "base/json.h"
#include "models/save_model.h"
#include "tasks/finetune.h"
#include "tests/base/temp_directory.h"
#include "text/learn/train.h"

namespace roformer::test {

class TaskTrial : public ::testing::Test {
 protected:
  TaskTrial() {
    const auto tokenizer = train_byte();
    ModelConfig config;
    config.vocabulary = tokenizer->vocabulary_size();
    config.hidden = config.embedding = 16;
    config.layers = 1;
    config.heads = 2;
    config.intermediate = 24;
    config.initializer_range = 0.3;
    complete(config, "");
    Model model(*backend_, config, true);
    model.initialize({3, 0});
    save_model(model, tokenizer->files(), directory_ / "model");
  }

  std::string path(const std::string& name) const { return directory_ / name; }
  static std::string text_of(const std::string& file) { return read_file(file, int64_t{1} << 30); }

  // `count` examples of a task; every fifth text is another.
  static std::string examples(const std::string& task, int count) {
    std::string text;
    for (int i = 0; i < count; ++i) {
      const bool first = i % 2 == 0;
      const std::string mark(static_cast<size_t>(3 + i % 5), first ? 'a' : 'z'), same(4, first ? 'a' : 'z'),
          other(5, first ? 'z' : 'a');
      if (task == "classification") {
        text += mark + "\t" + (first ? "low" : "high") + "\n";
      } else if (task == "regression") {
        text += mark + "\t" + (first ? "0.5" : "2.5") + "\n";
      } else if (task == "multilabel") {
        text += R"({"text":")" + mark + (i % 3 == 0 ? "mmm" : "") + R"(","labels":[)" + (first ? R"("low")" : "") +
                (first && i % 3 == 0 ? "," : "") + (i % 3 == 0 ? R"("middle")" : "") + "]}\n";
      } else if (task == "token-classification") {
        text += "say O\n" + mark + (first ? " B-LOW\n" : " B-HIGH\n") + "m " + (first ? "I-LOW\n\n" : "O\n\n");
      } else if (task == "question-answering") {
        text += R"({"question":"q","context":"b )" + mark + R"( c","answers":{"text":[")" + mark +
                R"("],"answer_start":[2]}})" + "\n";
      } else if (task == "multiple-choice") {
        text += std::string(R"({"prompt":"p","choices":[)") +
                (first ? R"("aaa","zzz"],"label":0})" : R"("zzz","aaa"],"label":1})") + "\n";
      } else {  // triplet
        text += R"({"A":")" + mark + R"(","B":")" + (i % 3 == 0 ? other : same) + R"(","C":")" +
                (i % 3 == 0 ? same : other) + R"(","label":")" + (i % 3 == 0 ? "C" : "B") + "\"}\n";
      }
    }
    if (task == "classification" || task == "regression") return "text\tlabel\n" + text;
    return text;
  }

  FinetuneOptions options(const std::string& task, const std::string& output) {
    const std::string extension = task == "classification" || task == "regression" ? ".tsv"
                                  : task == "token-classification"                 ? ".txt"
                                                                                   : ".jsonl";
    write_file_atomically(path("train" + extension), examples(task, 48));
    write_file_atomically(path("dev" + extension), examples(task, 21));
    FinetuneOptions result;
    result.model = path("model");
    result.task = task;
    result.train = {path("train" + extension)};
    result.validation = {path("dev" + extension)};
    result.output = path(output);
    result.max_length = 24;
    result.batch_size = 8;
    result.schedule.epochs = 5;
    result.schedule.learning_rate = 1e-2;
    result.log_every = 1;
    result.messages = {
        .style = {}, .write = [this](std::string_view text) { said_ += text; }, .seconds = [] { return 0.0; }};
    return result;
  }

  // The values of a key in the log's events of one kind.
  static std::vector<double> logged(const std::string& output, const std::string& event, const std::string& key) {
    std::vector<double> values;
    const std::string log = text_of(output + "/log.jsonl");
    for (size_t begin = 0, end; (end = log.find('\n', begin)) != std::string::npos; begin = end + 1) {
      const Json line = Json::parse(log.substr(begin, end - begin));
      if (line.at("event") == event && line.contains(key)) values.push_back(line.at(key).get<double>());
    }
    return values;
  }
  void expect_same_result(const std::string& a, const std::string& b) const {
    for (const char* name : {"/model.safetensors", "/evaluation.json", "/predictions.jsonl"}) {
      EXPECT_TRUE(text_of(path(a) + name) == text_of(path(b) + name)) << name << " of " << a << " and " << b;
    }
  }

  TempDirectory directory_;
  ThreadPool pool_{1};
  std::unique_ptr<Backend> backend_ = make_backend("cpu", pool_);
  std::string said_;
};

}  // namespace roformer::test
