// A text of any size as token sequences: blocks of whole documents, each tokenized on demand.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "data/packed_sequences.h"
#include "data/text_blocks.h"

namespace roformer {

struct CorpusOptions {
  DocumentRule rule = DocumentRule::automatic;
  int64_t max_length = 512;                // tokens per sequence, [CLS] and [SEP] included
  int64_t block_bytes = int64_t{8} << 20;  // of text tokenized at once
  int64_t rows = INT64_MAX;                // of the model's embeddings (text/token_rows.h)
  std::stop_token stop_token = {};         // polled while reading text: throws Interrupted
};

class Corpus {
 public:
  // Scans the files (text_blocks.h). `tokenizer` must outlive the corpus. UsageError if max_length < 3, and the errors
  // of TextBlocks.
  Corpus(std::span<const std::string> paths, const CorpusOptions& options, const Tokenizer& tokenizer);
  // The text of another corpus, which is not read again, in sequences of another length.
  Corpus(const Corpus& text, int64_t max_length);
  Corpus(const Corpus&) = delete;
  Corpus& operator=(const Corpus&) = delete;

  int64_t blocks() const { return text_->size(); }
  int64_t documents() const { return text_->documents(); }
  int64_t bytes() const { return text_->bytes(); }
  const std::optional<UndividedFile>& undivided() const { return text_->undivided(); }
  const std::string& content_hash() const { return text_->content_hash(); }
  const std::string& name() const { return name_; }  // the first path, for messages

  // The sequences of a block, shared with earlier callers that still hold it; DataError for a token without a row.
  // Thread-safe with one pool per thread.
  std::shared_ptr<const PackedSequences> load(int64_t block, ThreadPool& pool) const {
    return load(block, pool, options_.stop_token);
  }
  std::shared_ptr<const PackedSequences> load(int64_t block, ThreadPool& pool, const std::stop_token& stop) const;

  const std::stop_token& stop_token() const { return options_.stop_token; }

 private:
  std::shared_ptr<const TextBlocks> text_;
  CorpusOptions options_;
  const Tokenizer& tokenizer_;
  std::string name_;
  mutable std::mutex mutex_;
  mutable std::vector<std::weak_ptr<const PackedSequences>> held_;  // one per block
};

// Sequences held out of training for validation.
struct HeldOut {
  PackedSequences sequences;
  std::vector<std::vector<int64_t>> indices;                   // of the held-out sequences in each block, ascending
  std::vector<std::shared_ptr<const PackedSequences>> blocks;  // loaded along the way, for reuse
};

// Holds out about `fraction` of the sequences, evenly spaced: at most `max_sequences`, at least 1 and never all. If
// there are more than `blocks` blocks, only that many, evenly spaced, are tokenized, and at most half of their
// sequences held out. UsageError unless the fraction is between 0 and 1; DataError if the text has no tokens, or fewer
// than 2 sequences.
HeldOut hold_out(const Corpus& corpus, double fraction, int64_t max_sequences, int64_t blocks, ThreadPool& pool);

// Holds out nothing.
HeldOut hold_out_nothing(const Corpus& corpus);

// All sequences of all blocks; DataError if there are none.
PackedSequences load_all(const Corpus& corpus, ThreadPool& pool);

}  // namespace roformer
