#include "training/labeler.h"

#include <algorithm>
#include <numeric>

namespace roformer {

namespace {

class MaskedLabeler final : public Labeler {
 public:
  MaskedLabeler(const Tokenizer& tokenizer, const MaskingOptions& options, int64_t rows)
      : vocabulary_(tokenizer, rows), options_(options) {}

  MaskedSequence label(std::span<const int32_t> sequence, RandomStream random) const override {
    return mask_sequence(sequence, options_, vocabulary_, random);
  }
  bool predictable(std::span<const int32_t> sequence, size_t position) const override {
    return !vocabulary_.special[static_cast<size_t>(sequence[position])];
  }
  int64_t predictable_tokens() const override { return std::ssize(vocabulary_.ordinary); }

 private:
  MaskingVocabulary vocabulary_;
  MaskingOptions options_;
};

class CausalLabeler final : public Labeler {
 public:
  explicit CausalLabeler(int64_t vocabulary) : vocabulary_(vocabulary) {}

  MaskedSequence label(std::span<const int32_t> sequence, RandomStream) const override {
    MaskedSequence result{{sequence.begin(), sequence.end()}, {}, {}};
    if (sequence.empty()) return result;
    result.labels.assign(sequence.begin() + 1, sequence.end());
    result.rows.resize(result.labels.size());
    std::iota(result.rows.begin(), result.rows.end(), 0);
    return result;
  }
  bool predictable(std::span<const int32_t>, size_t position) const override { return position > 0; }
  int64_t predictable_tokens() const override { return vocabulary_; }

 private:
  int64_t vocabulary_;
};

}  // namespace

std::unique_ptr<Labeler> masked_labeler(const Tokenizer& tokenizer, const MaskingOptions& options, int64_t rows) {
  return std::make_unique<MaskedLabeler>(tokenizer, options, rows);
}

std::unique_ptr<Labeler> causal_labeler(const Tokenizer& tokenizer, int64_t rows) {
  return std::make_unique<CausalLabeler>(std::min<int64_t>(tokenizer.vocabulary_size(), rows));
}

}  // namespace roformer
