// How a translator searches.
#pragma once

#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "generation/beam_search.h"
#include "generation/sampling.h"
#include "models/config.h"

namespace roformer {

struct TranslatorOptions {
  int64_t beams = 4;  // 1: greedy
  double length_penalty = 0.6;
  LengthPenalty penalty_kind = LengthPenalty::power;
  // β of β Σ_i ln min(Σ_j p_ij, 1), which scores gain: p_ij is the attention of target token j to source token i
  // (alignment_layer), so that what is left out of a translation costs (Wu et al. 2016, eq. 14). 0: none.
  double coverage_penalty = 0;
  std::optional<int64_t> alignment_layer = {};  // cross_attention.h
  // Tokens are drawn, and not searched for; `candidates` of them, and `beams` is of no effect.
  std::optional<SamplingOptions> sampling = {};
  int64_t candidates = 1;  // hypotheses to return, at most `beams`
  // Tokens of a translation, the end token included. none: kLengthFactor times those of the source and kLengthMargin
  // more, and at most `longest`. A prefix adds its tokens to the usual ones.
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
// generate() follow alike. It does not have max_new_tokens, a penalty other than LengthPenalty::power, coverage,
// sampling and the number of candidates.
std::string generation_config(const ModelConfig& config, const TranslatorOptions& options);

}  // namespace roformer
