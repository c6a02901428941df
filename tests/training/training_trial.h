// A small model and a corpus in which every token occurs once, so that labels identify the selected token.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/file.h"
#include "data/sequence_stream.h"
#include "tests/base/temp_directory.h"
#include "text/learn/train.h"
#include "training/language_objective.h"

namespace roformer::test {

class TrainingTrial : public ::testing::Test {
 protected:
  static constexpr int64_t kSequences = 9, kTokens = 10;  // a sequence, without [CLS] and [SEP]

  TrainingTrial() {
    std::string text;
    for (char c = '!'; c < '!' + kSequences * kTokens; ++c) text += c;
    write_file_atomically(directory_ / "text.txt", text);
    const std::vector<std::string> paths = {directory_ / "text.txt"};
    corpus_.emplace(paths, CorpusOptions{.rule = DocumentRule::automatic, .max_length = kTokens + 2}, *tokenizer_);
    sequences_ = corpus_->load(0, pool_);
    validation_.append(sequences_->sequence(4));
  }

  ModelConfig config() const {
    ModelConfig result;
    result.vocabulary = tokenizer_->vocabulary_size();
    result.hidden = result.embedding = 8;
    result.layers = 1;
    result.heads = 2;
    result.intermediate = 12;
    result.hidden_dropout = result.attention_dropout = 0;
    complete(result, "");
    return result;
  }
  // Each with its own stream from the start of the data.
  LanguageObjective objective(const Model& model, int64_t per_micro_batch, int64_t accumulate,
                              uint64_t seed = 1) const {
    return objective(model, masked_labeler(*tokenizer_, {.probability = 0.3, .whole_words = false}),
                     {.sequences_per_micro_batch = per_micro_batch, .accumulate = accumulate}, seed);
  }
  LanguageObjective objective(const Model& model, std::unique_ptr<Labeler> labeling, const LanguageOptions& options,
                              uint64_t seed = 1) const {
    const RandomStream random{seed, 0};
    auto stream =
        std::make_unique<SequenceStream>(*corpus_, std::vector<std::vector<int64_t>>{{4}}, substream(random, 0), 1);
    return {model, std::move(labeling), options, std::move(stream), validation_, random};
  }
  Context training_context(Tape* tape) const { return {*backend_, tape, {}, true}; }

  TempDirectory directory_;
  mutable ThreadPool pool_{1};
  std::unique_ptr<Backend> backend_ = make_reference_backend(pool_);
  std::unique_ptr<Tokenizer> tokenizer_ = train_byte();
  std::optional<Corpus> corpus_;
  std::shared_ptr<const PackedSequences> sequences_;
  PackedSequences validation_;
};

inline void clear_gradients(const Model& model) {
  for (const NamedParameter& named : model.parameters()) model.backend().fill(named.parameter.gradient, 0);
}

inline const NamedParameter& parameter(const Model& model, const std::string& name) {
  for (const NamedParameter& named : model.parameters()) {
    if (named.name == name) return named;
  }
  throw std::runtime_error("no parameter " + name);
}

inline std::vector<float> values(const Tensor& x) {
  std::vector<float> all;
  for (int64_t i = 0; i < x.rows(); ++i) all.insert(all.end(), x.row<float>(i), x.row<float>(i) + x.columns());
  return all;
}

}  // namespace roformer::test
