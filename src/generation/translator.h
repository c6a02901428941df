// Translation by an encoder-decoder: beam search over batches of sentences, in which only live hypotheses are computed.
// The encoder runs once, and so do the keys and values of cross-attention, which the beams of a sentence share.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "generation/beam_search.h"
#include "models/model.h"

namespace roformer {

struct TranslatorOptions {
  int64_t beams = 4;  // 1: greedy
  double length_penalty = 0.6;
  LengthPenalty penalty_kind = LengthPenalty::power;
  int64_t candidates = 1;  // hypotheses to return, at most `beams`
  // Tokens of a translation, the end token included. none: kLengthFactor times those of the source and kLengthMargin
  // more, and at most `longest`.
  std::optional<int64_t> max_new_tokens = {};
  int64_t longest = 511;
  int64_t no_repeat_ngram = 0;             // no sequence of so many tokens comes twice; 0: off
  std::vector<int32_t> banned = {};        // tokens that are never generated
  std::optional<int64_t> start = {};       // what the decoder reads first; none: the model's
  std::vector<int64_t> ends = {};          // tokens that end a translation; empty: the model's
  std::optional<int32_t> forced_end = {};  // the last token of a translation that reaches its limit
  bool renormalized = false;               // probabilities among the tokens that are allowed
  int64_t batch_tokens = 4096;             // source tokens times beams that are translated together
  std::stop_token stop_token = {};         // polled for each token

  static constexpr int64_t kLengthFactor = 3, kLengthMargin = 32;
};

// The options that a directory's generation_config.json (else config.json) names, else the defaults: num_beams,
// length_penalty, max_length, no_repeat_ngram_size, bad_words_ids, decoder_start_token_id, eos_token_id,
// forced_eos_token_id, renormalize_logits. DataError for a value that cannot be followed.
TranslatorOptions read_translator_options(const std::string& directory);

// A generation_config.json of a model's tokens and these options, which read_translator_options() and transformers'
// generate() follow alike, but for max_new_tokens, a penalty other than LengthPenalty::power and the number of
// candidates, which it does not have.
std::string generation_config(const ModelConfig& config, const TranslatorOptions& options);

class Translator {
 public:
  // The model must outlive it. DataError for one that is no encoder-decoder, UsageError for options out of range.
  Translator(const Model& model, TranslatorOptions options);

  // Of each source (ids in the encoder's vocabulary, with the end token), in order, the best hypotheses, best first. A
  // translation does not depend on the others but by rounding. Interrupted if a stop is requested; DataError, naming a
  // tensor, for logits that are not finite, and where all tokens are excluded.
  std::vector<std::vector<Hypothesis>> run(std::span<const std::vector<int32_t>> sources) const;

  // The natural logarithms of the probabilities of the tokens of each target (with its end token) given its source.
  std::vector<std::vector<double>> score(std::span<const std::vector<int32_t>> sources,
                                         std::span<const std::vector<int32_t>> targets) const;

  const TranslatorOptions& options() const { return options_; }

 private:
  struct Sentence;
  int64_t limit_of(size_t source_tokens) const;
  std::vector<NextToken> next_tokens(const Tensor& logits, int64_t row, std::span<const int32_t> ids, bool last,
                                     size_t count) const;
  void run_batch(std::span<const std::vector<int32_t>> sources, std::span<const size_t> which,
                 std::vector<std::vector<Hypothesis>>& results) const;

  const Model& model_;
  TranslatorOptions options_;
  int32_t start_id_;
  std::vector<int32_t> end_ids_;
};

}  // namespace roformer
