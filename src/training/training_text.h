// The text of a pre-training and of its validation: read when the run begins, tokenized when its turn comes.
#pragma once

#include <memory>
#include <string>

#include "data/corpus.h"
#include "data/sequence_stream.h"
#include "training/pretrain_options.h"

namespace roformer {

// The texts that options name, as sequences of `max_length` with ids below `rows`.
class TrainingCorpora {
 public:
  // Those of `before`, which need not be read again, are taken where the options name the same files; may be null.
  // `tokenizer` must outlive this. Errors of Corpus.
  TrainingCorpora(const PretrainOptions& options, int64_t max_length, int64_t rows, const Tokenizer& tokenizer,
                  const TrainingCorpora* before);

  const Corpus& training() const { return *training_; }
  const Corpus* validation() const { return validation_.get(); }  // null: held out of the training text, or none
  std::string validation_hash() const { return validation_ ? validation_->content_hash() : ""; }
  // Whether training reads the same files.
  bool same_text(const TrainingCorpora& other) const { return data_ == other.data_; }

 private:
  std::vector<std::string> data_, validation_data_;
  std::unique_ptr<const Corpus> training_, validation_;
};

// What a training reads: sequences for validation, and the stream of the others.
struct TrainingText {
  HeldOut held_out;
  std::unique_ptr<SequenceStream> stream;
};

// `random` is that of the order; `corpora` must outlive the result. DataError for a text of which the tokenizer knows
// nothing, and the errors of hold_out().
TrainingText read_training_text(const PretrainOptions& options, const TrainingCorpora& corpora,
                                const Tokenizer& tokenizer, RandomStream random, ThreadPool& pool);

}  // namespace roformer
