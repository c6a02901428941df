// Documents packed into token sequences of one length. The token ids of the documents form one stream,
// document [SEP] document [SEP] ... document; it is split every max_length - 2 ids, and each part becomes [CLS] ids
// [SEP]. Nothing is dropped or padded; only the last sequence may be shorter.
#pragma once

#include <cstdint>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "base/parallel.h"
#include "text/tokenizer.h"

namespace roformer {

class PackedSequences {
 public:
  PackedSequences() = default;
  // The result does not depend on the number of threads. Empty if the documents have no tokens. UsageError if
  // max_length < 3; Interrupted soon after `stop` is requested.
  static PackedSequences pack(std::span<const std::string> documents, const Tokenizer& tokenizer, int64_t max_length,
                              ThreadPool& pool, const std::stop_token& stop = {});

  int64_t size() const { return static_cast<int64_t>(starts_.size()) - 1; }
  std::span<const int32_t> sequence(int64_t i) const {
    const size_t begin = starts_[static_cast<size_t>(i)], end = starts_[static_cast<size_t>(i) + 1];
    return std::span(ids_).subspan(begin, end - begin);
  }
  int64_t tokens() const { return static_cast<int64_t>(ids_.size()); }  // of all sequences, specials included

  void append(std::span<const int32_t> sequence);

 private:
  class Packer;

  std::vector<int32_t> ids_;
  std::vector<size_t> starts_{0};  // size() + 1 of them
};

}  // namespace roformer
