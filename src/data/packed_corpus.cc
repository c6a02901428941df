#include "data/packed_corpus.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace roformer {

// Appends documents to the stream and the stream to sequences.
class PackedCorpus::Packer {
 public:
  Packer(PackedCorpus& corpus, const Tokenizer& tokenizer, int64_t max_length)
      : corpus_(corpus), cls_(tokenizer.cls_id()), sep_(tokenizer.sep_id()), room_(max_length - 2) {}

  void add_document(std::span<const int32_t> ids) {
    if (ids.empty()) return;
    if (corpus_.documents_++ > 0) add(sep_);
    for (const int32_t id : ids) add(id);
  }

  void finish() {
    if (used_ > 0) close();
    corpus_.starts_.push_back(corpus_.ids_.size());
  }

 private:
  void add(int32_t id) {
    if (used_ == room_) close();
    if (used_ == 0) {
      corpus_.starts_.push_back(corpus_.ids_.size());
      corpus_.ids_.push_back(cls_);
    }
    corpus_.ids_.push_back(id);
    ++used_;
  }
  void close() {
    corpus_.ids_.push_back(sep_);
    used_ = 0;
  }

  PackedCorpus& corpus_;
  int32_t cls_, sep_;
  int64_t room_;
  int64_t used_ = 0;  // ids of the stream in the open sequence
};

PackedCorpus PackedCorpus::build(std::span<const std::string> paths, DocumentRule rule, const Tokenizer& tokenizer,
                                 int64_t max_length, ThreadPool& pool) {
  if (max_length < 3) throw UsageError("max_length {} is too small: [CLS], one token and [SEP] need 3", max_length);
  constexpr size_t kBatchBytes = size_t{8} << 20, kBatchDocuments = 4096;
  PackedCorpus corpus;
  Packer packer(corpus, tokenizer, max_length);
  std::vector<std::string> batch;
  size_t batch_bytes = 0;
  const auto encode_batch = [&] {
    std::vector<std::vector<int32_t>> encoded(batch.size());
    for_chunks(pool, static_cast<int64_t>(batch.size()), 16, [&](int64_t begin, int64_t end) {
      for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(end); ++i) {
        encoded[i] = tokenizer.encode_plain(batch[i]);
      }
    });
    for (const auto& ids : encoded) packer.add_document(ids);
    batch.clear();
    batch_bytes = 0;
  };
  const CorpusSummary summary = read_documents(paths, rule, [&](std::string&& document) {
    batch_bytes += document.size();
    batch.push_back(std::move(document));
    if (batch_bytes >= kBatchBytes || batch.size() >= kBatchDocuments) encode_batch();
  });
  encode_batch();
  packer.finish();
  if (corpus.documents_ == 0) {
    throw DataError("{}: no tokens in {} file(s) of {} bytes", paths.empty() ? "data" : paths[0], paths.size(),
                    summary.bytes);
  }
  corpus.content_hash_ = summary.content_hash;
  return corpus;
}

PackedCorpus::Split PackedCorpus::split(double validation_fraction) const {
  if (!(validation_fraction > 0 && validation_fraction < 1)) {
    throw UsageError("validation fraction {} must be between 0 and 1", validation_fraction);
  }
  if (size() < 2)
    throw DataError("the text fills only {} sequence(s): too few to hold some out for validation", size());
  const auto wanted = std::llround(validation_fraction * static_cast<double>(size()));
  const auto count = std::clamp<int64_t>(wanted, 1, size() - 1);
  Split result;
  for (int64_t i = 0; i < size(); ++i) {
    // Part p holds out floor((2p + 1) * size / 2count); ask whether i is the next such number.
    const auto part = static_cast<int64_t>(result.validation.size());
    const bool held_out = part < count && i == (2 * part + 1) * size() / (2 * count);
    (held_out ? result.validation : result.training).push_back(i);
  }
  return result;
}

}  // namespace roformer
