// Documents as token sequences of one length, ready for pre-training. The token ids of the documents form one stream,
// document [SEP] document [SEP] ... document; it is cut every max_length - 2 ids, and each cut becomes [CLS] ids [SEP].
// Nothing is dropped and nothing is padded: only the last sequence may be shorter.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/parallel.h"
#include "data/corpus.h"
#include "text/tokenizer.h"

namespace roformer {

class PackedCorpus {
 public:
  // The result does not depend on the number of threads. UsageError when max_length < 3; DataError when the files hold
  // no tokens; otherwise the errors of read_documents.
  static PackedCorpus build(std::span<const std::string> paths, DocumentRule rule, const Tokenizer& tokenizer,
                            int64_t max_length, ThreadPool& pool);

  int64_t size() const { return static_cast<int64_t>(starts_.size()) - 1; }
  std::span<const int32_t> sequence(int64_t i) const {
    const size_t begin = starts_[static_cast<size_t>(i)], end = starts_[static_cast<size_t>(i) + 1];
    return std::span(ids_).subspan(begin, end - begin);
  }
  int64_t tokens() const { return static_cast<int64_t>(ids_.size()); }  // over all sequences, their specials included
  int64_t documents() const { return documents_; }                      // those with at least one token
  const std::string& content_hash() const { return content_hash_; }     // of the files, as in CorpusSummary

  struct Split {
    std::vector<int64_t> training, validation;  // sequence numbers, rising
  };
  // Holds out n = round(fraction * size()) sequences, at least 1 and never all, evenly spaced: the middles of n equal
  // parts. UsageError when the fraction is not between 0 and 1; DataError when there are fewer than 2 sequences.
  Split split(double validation_fraction) const;

 private:
  class Packer;
  PackedCorpus() = default;

  std::vector<int32_t> ids_;
  std::vector<size_t> starts_;  // size() + 1 of them
  int64_t documents_ = 0;
  std::string content_hash_;
};

}  // namespace roformer
