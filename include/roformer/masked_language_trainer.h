// Trains a masked language model, new or existing, on texts in memory. For long runs with snapshots, logs and resuming
// use the program, `roformer pretrain`; this is for a few steps within another program.
//
// The result is a function of options, texts and their order: the same bits at any number of threads. One thread at a
// time may use a trainer; different trainers are independent. What text_model.h says of signals holds here, too.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "roformer/error.h"
#include "roformer/export.h"
#include "roformer/texts.h"

namespace roformer {
inline namespace v0 {

struct ModelShape {
  int64_t hidden_size = 256;
  int64_t layers = 4;
  int64_t heads = 4;              // hidden_size is a multiple of it
  int64_t intermediate_size = 0;  // of the feed-forward networks; 0 = 4 times the hidden size
  // The position encoding: "rotary", "rotary-learned", "rotary-partial", "rotary-axial", "p-rope", "xpos",
  // "sinusoidal", "sinusoidal-interleaved", "sinusoidal-tensor2tensor", "learned", "learned-hierarchical", "shaw",
  // "nezha", "transformer-xl", "t5", "tupe", "deberta", "alibi", "kerple" or "none".
  std::string position = "rotary";
  double dropout = 0.1;  // of hidden states and attention weights, in training
};

struct MaskedLanguageOptions {
  // AdamW's; constant after the warm-up. Empty: 1e-3 for a new model, 5e-5 for one that is opened.
  std::optional<double> learning_rate = {};
  int64_t warmup = 0;               // steps in which the rate rises from 0
  double weight_decay = 0.01;       // of weights, not of biases and norms
  double clip_norm = 1;             // maximum gradient norm; 0 = no clipping
  double mask_probability = 0.15;   // fraction of a text's tokens to predict, at least one
  bool whole_words = false;         // mask whole words
  int64_t max_length = 128;         // tokens; a longer text is split into several sequences
  int64_t max_batch_tokens = 4096;  // per pass; larger steps take several passes: bounds the memory
  uint64_t seed = 1;                // of initial weights, masks and dropout
  int threads = 0;                // that compute, the calling one among them; 0 = one for each CPU the process may use
  std::string device = "cpu";     // or "reference"
  std::string dtype = "float32";  // of the operands of matrix products; or, on "cpu", "bfloat16"
};

struct MaskedLanguageScore {
  double loss = 0;      // mean cross-entropy over the masked tokens, in nats
  double accuracy = 0;  // fraction of masked tokens predicted correctly
  int64_t masked = 0;   // masked tokens
};

class ROFORMER_EXPORT MaskedLanguageTrainer {
 public:
  // A new model with random weights for the tokenizer of a directory.
  static MaskedLanguageTrainer create(const std::string& tokenizer_directory, const ModelShape& shape = {},
                                      const MaskedLanguageOptions& options = {});
  // The model of a directory, which must have a masked-language-model head. The optimizer state starts at zero.
  static MaskedLanguageTrainer open(const std::string& model_directory, const MaskedLanguageOptions& options = {});

  MaskedLanguageTrainer(MaskedLanguageTrainer&&) noexcept;
  MaskedLanguageTrainer& operator=(MaskedLanguageTrainer&&) noexcept;
  ~MaskedLanguageTrainer();

  // One update on all these texts together; returns the loss before it, a mean over the masked tokens. Error, with the
  // model as it was, if the texts have no token to mask or loss or gradient are not finite, or (of kind interrupted) if
  // a stop is requested: step() may be called again.
  double step(Texts texts, std::stop_token stop = {});
  int64_t steps() const;  // done so far by this trainer
  // Keys of config.json that this library does not know and that could matter: worth a warning. Empty for a new model.
  const std::vector<std::string>& ignored_settings() const;
  const std::vector<std::string>& warnings() const;  // as TextModel::warnings

  // Changes nothing. The same texts always get the same masks, so that scores can be compared.
  MaskedLanguageScore validate(Texts texts, std::stop_token stop = {}) const;

  // Writes a model directory that TextModel, the program and transformers open; creates it if needed. Saving again to
  // the same directory replaces the weights atomically. Error for a directory with a training run or another model in
  // it.
  void save(const std::string& directory) const;

 private:
  struct Implementation;
  explicit MaskedLanguageTrainer(std::unique_ptr<Implementation> implementation);
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace v0
}  // namespace roformer
