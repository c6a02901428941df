// roformer train-tokenizer: learns a vocabulary from text files.
#include <fmt/ranges.h>

#include <iostream>

#include "base/error.h"
#include "base/file.h"
#include "cli/engine.h"
#include "cli/registry.h"
#include "text/jieba/jieba_tokenizer.h"
#include "text/learn/sentencepiece_training.h"
#include "text/learn/train.h"

namespace roformer {
namespace {

struct TrainTokenizerOptions {
  std::string type = "wordpiece", mode = "fast", dictionary;
  TokenizerTraining training;
  std::vector<std::string> input;
  std::string output;
  int64_t threads = 0;
};

void describe(OptionSet& set, TrainTokenizerOptions& options) {
  set.add_choice(
      "--type", options.type, {"wordpiece", "jieba-wordpiece", "bpe", "unigram", "char", "byte"},
      "WordPiece as in BERT, or on Chinese words as in RoFormer, SentencePiece models, single characters, or bytes");
  set.add("--vocab-size", options.training.vocab_size, "vocabulary size, special tokens included", {1, 10'000'000});
  set.add("--lowercase", options.training.lowercase,
          "lowercase the text (wordpiece, jieba-wordpiece: also strip accents; bpe, unigram: NFKC and case folding)");
  set.add("--min-frequency", options.training.min_frequency, "minimum frequency for a token (not for bpe, unigram)",
          {1, 1'000'000'000});
  set.add("--input", options.input, "text to learn from: files, also compressed, or directories");
  set.add("--output", options.output, "directory for vocab.txt or tokenizer.model, and the settings", "DIR");
  set.require("--output");
  set.add_choice("--tokenizer-mode", options.mode, {"fast", "slow", "bert4keras"},
                 "jieba-wordpiece: implementation to follow, transformers' fast or slow one or bert4keras's");
  set.add("--jieba-dictionary", options.dictionary,
          "jieba-wordpiece: jieba's dict.txt (default: that of Debian's python3-jieba)", "FILE");
  add_threads(set, options.threads);
}

std::unique_ptr<Tokenizer> learn(const TrainTokenizerOptions& options) {
  if (options.type == "byte") return train_byte();
  if (options.input.empty())
    throw UsageError("--input is required: text to learn from (files, also compressed, or directories)");
  ThreadPool pool(static_cast<int>(options.threads));
  if (options.type == "jieba-wordpiece") {
    return train_jieba_wordpiece(options.input, options.training, options.dictionary, *parse_jieba_mode(options.mode),
                                 pool);
  }
  if (options.type == "bpe" || options.type == "unigram") {
    const auto kind = options.type == "bpe" ? SentencePieceModel::Kind::bpe : SentencePieceModel::Kind::unigram;
    return train_sentencepiece(options.input, options.training, kind, pool);
  }
  return options.type == "char" ? train_char(options.input, options.training, pool)
                                : train_wordpiece(options.input, options.training, pool);
}

void run(const TrainTokenizerOptions& options) {
  if (options.output.empty()) throw UsageError("{} is empty, expected a directory", FieldName("output"));
  const auto tokenizer = learn(options);
  make_directories(options.output);
  for (const auto& [name, content] : tokenizer->files()) {
    write_file_atomically(join_path(options.output, name), content);
  }
  if (options.type != "byte" && tokenizer->vocabulary_size() < options.training.vocab_size) {
    std::cerr << fmt::format("roformer: the text yields only {} tokens, fewer than --vocab-size {}\n",
                             tokenizer->vocabulary_size(), options.training.vocab_size);
  }
  std::cout << fmt::format("{} tokens in {}\n", tokenizer->vocabulary_size(), options.output);
}

}  // namespace

Command train_tokenizer_command() {
  return {.name = "train-tokenizer",
          .summary = "Learn a vocabulary from text",
          .group = "Train",
          .example =
              "roformer train-tokenizer --type wordpiece --vocab-size 8000 --lowercase --input text.txt "
              "--output tokenizer",
          .prepare = prepare_with<TrainTokenizerOptions>(describe, run)};
}

}  // namespace roformer
