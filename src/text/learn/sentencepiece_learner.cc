#include "text/learn/sentencepiece_learner.h"

#include <sentencepiece_trainer.h>

#include <algorithm>

#include "base/error.h"
#include "base/utf8.h"

namespace roformer {

namespace {

constexpr size_t kBytes = 256;
constexpr double kCoverage = 0.9995;  // of a text's characters, if not all fit the vocabulary

using Words = std::vector<std::pair<std::string, int64_t>>;

// By descending count, then by bytes.
Words sorted(WordCounts counts) {
  Words words;
  words.reserve(counts.size());
  while (!counts.empty()) {
    auto entry = counts.extract(counts.begin());
    words.emplace_back(std::move(entry.key()), entry.mapped());
  }
  std::ranges::sort(words, [](const auto& a, const auto& b) {
    return a.second != b.second ? a.second > b.second : a.first < b.first;
  });
  return words;
}

// The words as the trainer's lines "WORD<tab>COUNT".
class Lines final : public sentencepiece::SentenceIterator {
 public:
  explicit Lines(const Words& words) : words_(words) { write(); }
  bool done() const override { return next_ == words_.size(); }
  void Next() override {
    ++next_;
    write();
  }
  const std::string& value() const override { return line_; }
  sentencepiece::util::Status status() const override { return {}; }

 private:
  void write() {
    if (!done()) line_ = fmt::format("{}\t{}", words_[next_].first, words_[next_].second);
  }

  const Words& words_;
  size_t next_ = 0;
  std::string line_;
};

struct Alphabet {
  size_t all = 1, common = 1;  // number of characters, space included; of those needed for kCoverage
};

Alphabet count_alphabet(const Words& words) {
  std::unordered_map<char32_t, int64_t> counts;
  int64_t total = 0;
  for (const auto& [word, count] : words) {
    total += count;
    for (size_t i = 0; i < word.size();) {
      const CodePoint c = decode_utf8(word.data() + i);
      counts[c.value] += count;
      total += count;
      i += static_cast<size_t>(c.length);
    }
  }
  std::vector<int64_t> falling;
  falling.reserve(counts.size());
  for (const auto& entry : counts) falling.push_back(entry.second);
  std::ranges::sort(falling, std::greater<>());
  Alphabet alphabet{.all = counts.size() + 1, .common = 1};
  double covered = 0;
  for (const int64_t count : falling) {
    if (covered >= kCoverage * static_cast<double>(total)) break;
    covered += static_cast<double>(count);
    ++alphabet.common;
  }
  return alphabet;
}

std::unordered_map<std::string, std::string> trainer_arguments(const SentencePieceLearning& learning,
                                                               bool all_characters) {
  const auto text = [](bool value) { return value ? "true" : "false"; };
  std::unordered_map<std::string, std::string> arguments = {
      {"model_type", learning.kind == SentencePieceModel::Kind::bpe ? "bpe" : "unigram"},
      {"vocab_size", std::to_string(learning.vocab_size)},
      {"hard_vocab_limit", "false"},
      {"input_format", "tsv"},
      {"byte_fallback", text(learning.byte_fallback)},
      {"character_coverage", all_characters ? "1.0" : "0.9995"},
      {"normalization_rule_name", learning.normalization},
      {"remove_extra_whitespaces", text(learning.remove_extra_whitespaces)},
      {"num_threads", "4"},  // results depend on it
      {"minloglevel", "3"}};
  arguments.insert(learning.pieces.begin(), learning.pieces.end());
  return arguments;
}

}  // namespace

std::string learn_sentencepiece(WordCounts counts, const SentencePieceLearning& learning, const FilePath& where) {
  const Words words = sorted(std::move(counts));
  if (words.empty()) throw DataError("{}: no words to learn a vocabulary from", where);
  const Alphabet alphabet = count_alphabet(words);
  const size_t fixed = learning.specials + (learning.byte_fallback ? kBytes : 0);
  const auto size = static_cast<size_t>(std::max<int64_t>(0, learning.vocab_size));
  if (size > kMaxTokens) throw UsageError("{} {} is too large, at most {}", FieldName("vocab_size"), size, kMaxTokens);
  const bool all_characters = fixed + 2 * alphabet.all <= size;
  if (size < fixed + alphabet.common) {
    throw UsageError("{} {} is too small: special tokens, bytes and characters need at least {}",
                     FieldName("vocab_size"), size, fixed + alphabet.common);
  }
  Lines lines(words);
  std::string file;
  const auto status =
      sentencepiece::SentencePieceTrainer::Train(trainer_arguments(learning, all_characters), &lines, &file);
  if (!status.ok()) throw DataError("{}: SentencePiece cannot learn from it: {}", where, status.error_message());
  return file;
}

}  // namespace roformer
