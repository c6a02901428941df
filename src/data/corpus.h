// A text of any size as token sequences: blocks of whole documents, each tokenized when it is asked for.
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
  int64_t max_length = 512;                // tokens a sequence, [CLS] and [SEP] included
  int64_t block_bytes = int64_t{8} << 20;  // of text; what is tokenized at once
  std::stop_token stop_token = {};         // looked at while text is read: then Interrupted
};

class Corpus {
 public:
  // Scans the files (text_blocks.h). Points to the tokenizer, and cannot be copied. UsageError when max_length < 3;
  // otherwise the errors of TextBlocks.
  Corpus(std::span<const std::string> paths, const CorpusOptions& options, const Tokenizer& tokenizer);
  Corpus(const Corpus&) = delete;
  Corpus& operator=(const Corpus&) = delete;

  int64_t blocks() const { return text_.size(); }
  int64_t documents() const { return text_.documents(); }
  int64_t bytes() const { return text_.bytes(); }
  const std::optional<UndividedFile>& undivided() const { return text_.undivided(); }
  const std::string& content_hash() const { return text_.content_hash(); }
  const std::string& name() const { return name_; }  // the first path, for messages

  // The sequences of a block. A block that somebody still holds is not made again. From any thread, each with a pool of
  // its own.
  std::shared_ptr<const PackedSequences> load(int64_t block, ThreadPool& pool) const {
    return load(block, pool, options_.stop_token);
  }
  std::shared_ptr<const PackedSequences> load(int64_t block, ThreadPool& pool, const std::stop_token& stop) const;

  const std::stop_token& stop_token() const { return options_.stop_token; }

 private:
  TextBlocks text_;
  CorpusOptions options_;
  const Tokenizer& tokenizer_;
  std::string name_;
  mutable std::mutex mutex_;
  mutable std::vector<std::weak_ptr<const PackedSequences>> held_;  // one a block
};

// Sequences kept out of training, to validate on.
struct HeldOut {
  PackedSequences sequences;
  std::vector<std::vector<int64_t>> numbers;  // of each block: which of its sequences these are, rising
  std::vector<std::shared_ptr<const PackedSequences>> blocks;  // that were made for it, for who needs them next
};

// Holds out about `fraction` of the sequences, at most `most`, but at least 1 and never all: from all blocks where
// there are no more than `blocks`, else from that many, evenly spaced, of which at most half is taken; inside them
// evenly spaced, too. So only those blocks must be tokenized for it. UsageError when the fraction is not between 0 and
// 1; DataError when the text has no tokens, or fewer than 2 sequences.
HeldOut hold_out(const Corpus& corpus, double fraction, int64_t most, int64_t blocks, ThreadPool& pool);

// Nothing is held out.
HeldOut hold_out_nothing(const Corpus& corpus);

// All sequences of all blocks; DataError when there are none.
PackedSequences load_all(const Corpus& corpus, ThreadPool& pool);

}  // namespace roformer
