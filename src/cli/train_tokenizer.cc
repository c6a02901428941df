// roformer train-tokenizer: learns a vocabulary from text files.
#include <fmt/ranges.h>

#include <iostream>

#include "base/error.h"
#include "base/file.h"
#include "base/inapplicable_error.h"
#include "cli/engine.h"
#include "cli/registry.h"
#include "text/jieba/jieba_tokenizer.h"
#include "text/learn/sentencepiece_training.h"
#include "text/learn/train.h"
#include "text/learn/translation_training.h"

namespace roformer {
namespace {

struct TrainTokenizerOptions {
  std::string type = "wordpiece", mode = "fast", dictionary;
  TokenizerTraining training;
  std::vector<std::string> input, target_input;
  bool separate = false;
  std::string output;
  int64_t threads = 0;
};

void describe(OptionSet& set, TrainTokenizerOptions& options) {
  set.add_choice(
      "--type", options.type, {"wordpiece", "jieba-wordpiece", "bpe", "unigram", "char", "byte", "byte-bpe"},
      "WordPiece as in BERT, or on Chinese words as in RoFormer, SentencePiece models, single characters, bytes, or "
      "byte-level BPE as in GPT-2");
  set.add("--vocab-size", options.training.vocab_size, "vocabulary size, special tokens included", {1, 10'000'000});
  set.add("--lowercase", options.training.lowercase,
          "lowercase the text (wordpiece, jieba-wordpiece: also strip accents; bpe, unigram: NFKC and case folding)");
  set.add("--min-frequency", options.training.min_frequency, "minimum frequency for a token (not for bpe, unigram)",
          {1, 1'000'000'000});
  set.add("--input", options.input, "text to learn from: files, also compressed, or directories");
  set.add(
      "--target-input", options.target_input,
      "bpe, unigram: text of the language to translate into; learns the tokenizers of a translator, of which --input "
      "is the source");
  set.add("--separate-vocabularies", options.separate,
          "--target-input: a vocabulary for each language, of --vocab-size each, instead of one for both");
  set.add("--output", options.output, "directory for vocab.txt, tokenizer.model or tokenizer.json, and the settings",
          "DIR");
  set.require("--output");
  set.add_choice("--tokenizer-mode", options.mode, {"fast", "slow", "bert4keras"},
                 "jieba-wordpiece: implementation to follow, transformers' fast or slow one or bert4keras's");
  set.add("--jieba-dictionary", options.dictionary,
          "jieba-wordpiece: jieba's dict.txt (default: that of Debian's python3-jieba)", "FILE");
  add_threads(set, options.threads);
}

bool learns_sentencepiece(const TrainTokenizerOptions& options) {
  return options.type == "bpe" || options.type == "unigram";
}

SentencePieceModel::Kind sentencepiece_kind(const TrainTokenizerOptions& options) {
  return options.type == "bpe" ? SentencePieceModel::Kind::bpe : SentencePieceModel::Kind::unigram;
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
  if (learns_sentencepiece(options)) {
    return train_sentencepiece(options.input, options.training, sentencepiece_kind(options), pool);
  }
  if (options.type == "byte-bpe") return train_byte_bpe(options.input, options.training, pool);
  return options.type == "char" ? train_char(options.input, options.training, pool)
                                : train_wordpiece(options.input, options.training, pool);
}

TranslationTokenizers learn_translator(const TrainTokenizerOptions& options) {
  if (!learns_sentencepiece(options)) {
    throw InapplicableError("{}: expected {} bpe or unigram", FieldName("target_input"), FieldName("type"));
  }
  if (options.input.empty()) throw UsageError("--input is required: text of the source language");
  ThreadPool pool(static_cast<int>(options.threads));
  return learn_translation_tokenizers(count_spaced_words(options.input, kMaxWordBytes, pool),
                                      count_spaced_words(options.target_input, kMaxWordBytes, pool),
                                      {.kind = sentencepiece_kind(options),
                                       .vocab_size = options.training.vocab_size,
                                       .joint = !options.separate,
                                       .lowercase = options.training.lowercase,
                                       .languages = {}});
}

void warn_if_small(const TrainTokenizerOptions& options, const Tokenizer& tokenizer) {
  if (tokenizer.vocabulary_size() < options.training.vocab_size) {
    std::cerr << fmt::format("roformer: the text yields only {} tokens, fewer than --vocab-size {}\n",
                             tokenizer.vocabulary_size(), options.training.vocab_size);
  }
}

void run(const TrainTokenizerOptions& options) {
  if (options.output.empty()) throw UsageError("{} is empty, expected a directory", FieldName("output"));
  const auto write = [&](const Tokenizer& tokenizer) {
    make_directories(options.output);
    for (const auto& [name, content] : tokenizer.files()) {
      write_file_atomically(join_path(options.output, name), content);
    }
  };
  if (!options.target_input.empty()) {
    const auto [source, target, shared, languages] = learn_translator(options);
    write(*source);
    warn_if_small(options, *source);
    if (!shared) warn_if_small(options, *target);
    std::cout << (shared ? fmt::format("{} tokens of both languages in {}\n", source->vocabulary_size(), options.output)
                         : fmt::format("{} and {} tokens in {}\n", source->vocabulary_size(), target->vocabulary_size(),
                                       options.output));
    return;
  }
  if (options.separate) throw InapplicableError("{} requires --target-input", FieldName("separate_vocabularies"));
  const auto tokenizer = learn(options);
  write(*tokenizer);
  if (options.type != "byte") warn_if_small(options, *tokenizer);
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
