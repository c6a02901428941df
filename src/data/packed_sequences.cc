#include "data/packed_sequences.h"

#include "base/error.h"

namespace roformer {

// Appends documents to the stream and the stream to sequences.
class PackedSequences::Packer {
 public:
  Packer(PackedSequences& result, const Tokenizer& tokenizer, int64_t max_length)
      : result_(result), cls_(tokenizer.cls_id()), sep_(tokenizer.sep_id()), capacity_(max_length - 2) {}

  void add_document(std::span<const int32_t> ids) {
    if (ids.empty()) return;
    if (!first_) add(sep_);
    first_ = false;
    for (const int32_t id : ids) add(id);
  }

  void finish() {
    if (used_ > 0) close();
  }

 private:
  void add(int32_t id) {
    if (used_ == capacity_) close();
    if (used_ == 0) result_.ids_.push_back(cls_);
    result_.ids_.push_back(id);
    ++used_;
  }
  void close() {
    result_.ids_.push_back(sep_);
    result_.starts_.push_back(result_.ids_.size());
    used_ = 0;
  }

  PackedSequences& result_;
  int32_t cls_, sep_;
  int64_t capacity_;
  int64_t used_ = 0;  // ids of the stream in the open sequence
  bool first_ = true;
};

PackedSequences PackedSequences::pack(std::span<const std::string> documents, const Tokenizer& tokenizer,
                                      int64_t max_length, ThreadPool& pool, const std::stop_token& stop) {
  if (max_length < 3)
    throw UsageError("{} {} is too small: [CLS], one token and [SEP] need 3", FieldName("max_length"), max_length);
  constexpr int64_t kDocumentsATask = 16;
  std::vector<std::vector<int32_t>> encoded(documents.size());
  for_chunks(pool, std::ssize(documents), kDocumentsATask, [&](int64_t begin, int64_t end) {
    for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(end); ++i) {
      if (stop.stop_requested()) throw Interrupted("stopped while reading text");
      encoded[i] = tokenizer.encode_plain(documents[i]);
    }
  });
  PackedSequences result;
  Packer packer(result, tokenizer, max_length);
  for (auto& ids : encoded) {
    packer.add_document(ids);
    ids = {};
  }
  packer.finish();
  return result;
}

void PackedSequences::append(std::span<const int32_t> sequence) {
  ids_.insert(ids_.end(), sequence.begin(), sequence.end());
  starts_.push_back(ids_.size());
}

}  // namespace roformer
