// A model directory ready for text: config.json, model.safetensors and the tokenizer's files, as transformers has them.
//
// Threads: after open() all functions are const, and any number of threads may call them on one TextModel at once. The
// calls share the model's threads; each gives the same bits as it would alone, at any number of threads.
// Signals: while the library computes it holds signals back from the threads that compute, so handlers of the program
// run on another thread, or on this one between two kernels. docs/library.md says more.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "roformer/error.h"
#include "roformer/export.h"
#include "roformer/text_tokenizer.h"

namespace roformer {
inline namespace v0 {

struct ModelOptions {
  int threads = 0;             // that compute, the calling one among them; 0 = one for each CPU the process may use
  std::string device = "cpu";  // "cpu", or "reference": scalar and slow, to compare with
  // Numbers to multiply: "float32", or on "cpu" also "bfloat16" and "int8", which weights are rounded to when the model
  // is opened. Sums and everything else are float32.
  std::string dtype = "float32";
  int64_t max_length = 0;           // encode and embed cut longer texts to so many tokens; 0 = they never do
  int64_t max_batch_tokens = 4096;  // several texts are computed together up to so many tokens: bounds the memory
};

// The last layer's output for one text: row i belongs to token i of tokenize().
struct HiddenStates {
  int64_t tokens = 0;         // S, [CLS] and [SEP] included
  int64_t hidden_size = 0;    // H
  std::vector<float> values;  // [S, H], row after row

  std::span<const float> row(int64_t token) const {  // 0 <= token < tokens
    return std::span(values).subspan(static_cast<size_t>(token * hidden_size), static_cast<size_t>(hidden_size));
  }
};

enum class EmbeddingPooling {
  cls,    // the first token's hidden state
  mean,   // of all tokens, [CLS] and [SEP] included
  max,    // the largest of each column
  pooler  // what the model's pooler makes of the first token's hidden state; Error for a model without one
};

struct EmbeddingOptions {
  EmbeddingPooling pooling = EmbeddingPooling::mean;
  bool normalize = false;  // to length 1, so that a dot product of two is their cosine; a zero vector stays as it is
};

struct TextEmbedding {
  std::vector<float> values;  // [H]
  int64_t tokens = 0;         // that were pooled
};

// One proposal for a [MASK].
struct MaskCandidate {
  std::string token;
  int32_t id = 0;
  double score = 0;  // softmax probability over the model's whole vocabulary
};

// For each [MASK] of a text, in order, its candidates, the most probable first.
using FilledMasks = std::vector<std::vector<MaskCandidate>>;

class ROFORMER_EXPORT TextModel {
 public:
  // Error naming file and tensor where the directory is not a model this library can compute, or where the tokenizer
  // has more tokens than the model; Error for a device that does not exist, a dtype that it does not have, or fewer
  // than 0 threads.
  static TextModel open(const std::string& directory, const ModelOptions& options = {});

  TextModel(TextModel&&) noexcept;
  TextModel& operator=(TextModel&&) noexcept;
  ~TextModel();

  int64_t hidden_size() const;
  int64_t parameters() const;
  bool fills_masks() const;  // has a masked-language-model head
  const TextTokenizer& tokenizer() const;
  // Keys of config.json that this library does not know and that could matter: worth a warning.
  const std::vector<std::string>& ignored_settings() const;

  // As the tokenizer does it, uncut unless the options say so.
  TokenizedText tokenize(std::string_view text, const TokenizeOptions& options = {}) const;

  // The functions for several texts compute them packed, without padding, and return one result a text, in order. A
  // text's result differs from the one it has alone by rounding only. Error for text that is not UTF-8, by its number
  // where there are several, and for one longer than the learned positions of a model that has such. An Error of kind
  // interrupted ends a call soon after a stop is requested of its token; the model is as it was.
  HiddenStates encode(std::string_view text, std::stop_token stop = {}) const;
  std::vector<HiddenStates> encode(std::span<const std::string> texts, std::stop_token stop = {}) const;
  // Tokens of the caller's own, such as a pair of texts. Uses ids and segment_ids (empty: all 0); never cut. Error for
  // ids and segments that the model does not have.
  HiddenStates encode(const TokenizedText& text, std::stop_token stop = {}) const;

  TextEmbedding embed(std::string_view text, const EmbeddingOptions& options = {}, std::stop_token stop = {}) const;
  std::vector<TextEmbedding> embed(std::span<const std::string> texts, const EmbeddingOptions& options = {},
                                   std::stop_token stop = {}) const;

  // `top_k` >= 1. Error for a text without [MASK] and for a model without a masked-language-model head.
  FilledMasks fill_mask(std::string_view text, int64_t top_k = 5, std::stop_token stop = {}) const;
  std::vector<FilledMasks> fill_mask(std::span<const std::string> texts, int64_t top_k = 5,
                                     std::stop_token stop = {}) const;

 private:
  struct Implementation;
  explicit TextModel(std::unique_ptr<const Implementation> implementation);
  std::unique_ptr<const Implementation> implementation_;
};

}  // namespace v0
}  // namespace roformer
