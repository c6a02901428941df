// The normalizers of a tokenizer.json, in order.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "text/pipeline/aligned_text.h"
#include "text/pipeline/part.h"

namespace roformer {

using NormalizerStep = std::function<void(AlignedText&)>;

class PipelineNormalizer {
 public:
  // "normalizer" of a tokenizer.json: NFC, NFD, NFKC, NFKD, Lowercase, StripAccents, Strip, Replace, Prepend,
  // BertNormalizer, and sequences of them. DataError that names any other, or a wrong setting.
  explicit PipelineNormalizer(const JsonObject& file);

  void apply(AlignedText& text) const {
    for (const NormalizerStep& step : steps_) step(text);
  }
  std::string apply(std::string_view text) const;

 private:
  std::vector<NormalizerStep> steps_;
};

}  // namespace roformer
