// A model of width 8 with a byte tokenizer, both in memory, for inference tests.
#pragma once

#include <gtest/gtest.h>

#include <memory>

#include "models/model.h"
#include "tests/base/temp_directory.h"
#include "text/learn/train.h"

namespace roformer {

class TinyModelTest : public testing::Test {
 protected:
  // `extra`: vocabulary rows beyond the tokenizer's.
  Model model(int64_t extra = 0, Head head = Head::masked_lm, bool trainable = false) {
    ModelConfig config;
    config.vocabulary = tokenizer_->vocabulary_size() + extra;
    config.hidden = config.embedding = 8;
    config.layers = 1;
    config.heads = 2;
    config.intermediate = 12;
    config.initializer_range = 0.3;
    config.hidden_dropout = config.attention_dropout = dropout_;
    config.head = head;
    complete(config, "");
    Model result(*backend_, config, trainable);
    result.initialize({1, 0});
    return result;
  }

  double dropout_ = 0.1;
  TempDirectory directory_;
  ThreadPool pool_{1};
  std::unique_ptr<Backend> backend_ = make_reference_backend(pool_);
  std::unique_ptr<Tokenizer> tokenizer_ = train_byte();
};

}  // namespace roformer
