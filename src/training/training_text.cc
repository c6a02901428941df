#include "training/training_text.h"

#include <algorithm>
#include <limits>
#include <span>
#include <utility>

#include "base/error.h"

namespace roformer {

namespace {

bool knows(const Tokenizer& tokenizer, std::span<const int32_t> ids) {
  return std::any_of(ids.begin(), ids.end(), [&](int32_t id) { return !tokenizer.is_special(id); });
}

bool knows(const Tokenizer& tokenizer, const PackedSequences& sequences) {
  for (int64_t i = 0; i < sequences.size(); ++i) {
    if (knows(tokenizer, sequences.sequence(i))) return true;
  }
  return false;
}

// A text of special tokens only, [UNK] among them, cannot be learned from.
[[noreturn]] void fail_unknown(const Tokenizer& tokenizer, const std::string& path) {
  throw DataError("{}: the tokenizer does not cover this text: all its tokens are {}", FilePath(path),
                  tokenizer.token(tokenizer.unk_id()));
}

constexpr double kValidationFraction = 0.02;
constexpr int64_t kMaxValidationSequences = 1000;  // unless a fraction is given, to bound validation time

// Validation data: separate files, or sequences held out of the training text, or none.
HeldOut read_validation(const PretrainOptions& options, const TrainingCorpora& corpora, const Tokenizer& tokenizer,
                        ThreadPool& pool) {
  const Corpus& training = corpora.training();
  if (const Corpus* validation = corpora.validation(); validation != nullptr) {
    HeldOut result = hold_out_nothing(training);
    result.sequences = load_all(*validation, pool);
    if (!knows(tokenizer, result.sequences)) fail_unknown(tokenizer, validation->name());
    return result;
  }
  if (options.validation_fraction == 0) return hold_out_nothing(training);
  const int64_t limit = options.validation_fraction ? std::numeric_limits<int64_t>::max() : kMaxValidationSequences;
  return hold_out(training, options.validation_fraction.value_or(kValidationFraction), limit,
                  SequenceStream::kWindowBlocks, pool);
}

}  // namespace

TrainingCorpora::TrainingCorpora(const PretrainOptions& options, int64_t max_length, int64_t rows,
                                 const Tokenizer& tokenizer, const TrainingCorpora* before)
    : data_(options.data), validation_data_(options.validation_data) {
  const CorpusOptions reading{.rule = parse_document_rule(options.documents),
                              .max_length = max_length,
                              .rows = rows,
                              .stop_token = options.stop_token};
  const auto read = [&](const std::vector<std::string>& paths, const Corpus* same) {
    return same != nullptr ? std::make_unique<const Corpus>(*same, max_length)
                           : std::make_unique<const Corpus>(paths, reading, tokenizer);
  };
  training_ = read(data_, before != nullptr && before->data_ == data_ ? before->training_.get() : nullptr);
  if (validation_data_.empty()) return;
  const bool same = before != nullptr && before->validation_data_ == validation_data_;
  validation_ = read(validation_data_, same ? before->validation_.get() : nullptr);
}

TrainingText read_training_text(const PretrainOptions& options, const TrainingCorpora& corpora,
                                const Tokenizer& tokenizer, RandomStream random, ThreadPool& pool) {
  TrainingText text{.held_out = read_validation(options, corpora, tokenizer, pool), .stream = nullptr};
  const Corpus& corpus = corpora.training();
  text.stream = std::make_unique<SequenceStream>(corpus, std::move(text.held_out.indices), random,
                                                 static_cast<int>(options.reader_threads.value_or(pool.threads())));
  text.held_out.blocks.push_back(corpus.load(0, pool));
  const auto known = [&](const auto& ids) { return knows(tokenizer, ids); };
  if (!known(*text.held_out.blocks.back()) && std::ranges::none_of(text.stream->window(), known)) {
    fail_unknown(tokenizer, corpus.name());
  }
  return text;
}

}  // namespace roformer
