// Continues texts with a language model: causal ones go on behind a prompt, UniLM's prefix models (RoFormer-Sim) answer
// one (paper.md 2.10). docs/generation.md says what the options do.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "generation/beam_search.h"
#include "generation/sampling.h"
#include "models/model.h"
#include "text/tokenizer.h"

namespace roformer {

class GenerationPass;

// When a text has filled the window: forget its older half, end it, or fail.
enum class Overflow { shift, stop, error };
Overflow parse_overflow(const std::string& name);  // UsageError for other words

struct GenerationOptions {
  SamplingOptions sampling;
  int64_t beams = 1;  // more than one: beam search, without sampling
  double length_penalty = 1;
  int64_t max_new_tokens = 128, min_new_tokens = 0;
  std::vector<std::string> stops = {};
  uint64_t seed = 0;
  std::optional<int64_t> window = {};                // tokens of a text the model sees; none: max_position_embeddings
  std::optional<Overflow> overflow = {};             // none: shift where keys can move, else stop
  std::optional<AttentionMask> attention_mask = {};  // causal or prefix; none: the model's
  std::optional<std::vector<int32_t>> end_ids = {};  // none: [SEP]
  int64_t batch = 1;                                 // texts continued together, for what memory they need
  std::stop_token stop_token = {};                   // looked at with each token
};

struct Prompt {
  std::vector<int32_t> ids;
  int64_t number = 0;  // of the text among all: with the seed it decides what is drawn
};

// Why a text ended: an end token, a stop string, max_new_tokens, or the window.
enum class FinishReason { end, stop, length, window };
const char* finish_name(FinishReason finish);  // "end", "stop", "length", "context"

struct Generated {
  std::string text;          // without special tokens and what a stop string cut off
  std::vector<int32_t> ids;  // all that were generated, an end token included
  FinishReason finish = FinishReason::length;
  double score = 0;  // of beam search
};

// The end tokens that a directory names ("eos_token_id" of generation_config.json, else config.json); none if it names
// none. DataError for one that is no token of the model.
std::optional<std::vector<int32_t>> named_end_ids(const std::string& directory, const ModelConfig& config);

class TextGenerator {
 public:
  // Text of prompt `index` of a run that is certain now.
  using Sink = std::function<void(size_t index, const std::string& text)>;

  // Points to model and tokenizer, so it cannot be copied. UsageError for options that do not fit each other or the
  // model, DataError for a model that cannot generate, or a window whose keys and values memory cannot hold: it is
  // asked before any is taken.
  TextGenerator(const Model& model, const Tokenizer& tokenizer, GenerationOptions options);
  TextGenerator(const TextGenerator&) = delete;
  TextGenerator& operator=(const TextGenerator&) = delete;

  // A prompt as the model was trained to see it: [CLS] text for a causal model, [CLS] text [SEP] for a prefix model.
  // One that the window does not hold loses its oldest tokens but the first (shift), or is a DataError.
  Prompt prompt(std::string_view text, int64_t number) const;

  // In the order of the prompts. Sampled texts depend on seed and number only, not on the others. Interrupted when
  // a stop is requested; DataError, naming a tensor, for scores that are not finite.
  std::vector<Generated> run(std::span<const Prompt> prompts, const Sink& sink) const;
  // The same for texts in memory, which are numbered from 0 and continued `batch` of the options at a time. An error of
  // one of several prompts starts with "text N: ", N counted from 1.
  std::vector<Generated> run_texts(std::span<const std::string> texts, const Sink& sink) const;

  int64_t window() const { return window_; }

 private:
  struct Sequence;

  void check_options() const;
  void check_memory(int64_t sequences, int64_t tokens) const;
  Sequence start(size_t index, const Prompt& prompt) const;
  void prepare(std::span<const int32_t> ids, int64_t generated, std::vector<double>& scores) const;
  bool make_room(GenerationPass& pass, int64_t sequence) const;
  void take(Sequence& sequence, std::vector<double>& scores) const;
  void add(Sequence& sequence, int32_t id) const;
  std::vector<Generated> sample(std::span<const Prompt> prompts, const Sink& sink) const;
  Generated search(const Prompt& prompt) const;
  Generated finished(const Prompt& prompt, const Hypothesis& best) const;

  const Model& model_;
  const Tokenizer& tokenizer_;
  GenerationOptions options_;
  AttentionMask attention_mask_;
  int64_t window_;
  Overflow overflow_;
  std::vector<int32_t> end_ids_;
};

}  // namespace roformer
