// Text generation: causal models continue a prompt, UniLM prefix models (RoFormer-Sim) generate a second text (paper.md
// 2.10). The options are explained in docs/generation.md.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "base/texts.h"
#include "generation/beam_search.h"
#include "generation/sampling.h"
#include "models/model.h"
#include "text/tokenizer.h"

namespace roformer {

class GenerationPass;

// What to do when the context window is full: drop the older half (context shift), stop, or fail.
enum class Overflow { shift, stop, error };
Overflow parse_overflow(const std::string& name);  // UsageError for other words

struct GenerationOptions {
  SamplingOptions sampling;
  int64_t beams = 1;  // > 1: beam search without sampling
  double length_penalty = 1;
  int64_t max_new_tokens = 128, min_new_tokens = 0;
  std::vector<std::string> stops = {};
  uint64_t seed = 0;
  std::optional<int64_t> window = {};                // context length in tokens; none: the model's (generation.md)
  std::optional<Overflow> overflow = {};             // none: shift if supported (can_forget), else stop
  std::optional<AttentionMask> attention_mask = {};  // causal or prefix; none: the model's
  std::optional<std::vector<int32_t>> end_ids = {};  // none: [SEP]
  int64_t batch = 1;                                 // texts generated together, for memory estimates
  std::stop_token stop_token = {};                   // polled for each token
};

struct Prompt {
  std::vector<int32_t> ids;
  int64_t number = 0;   // index of the text, which with the seed determines the random numbers
  int64_t dropped = 0;  // tokens left out after the first, because the window holds no more
};

// Why generation ended: end token, stop string, max_new_tokens, full window, or the sink's wish.
enum class FinishReason { end, stop, length, window, halted };
const char* finish_name(FinishReason finish);  // "end", "stop", "length", "context", "halted"

struct Generated {
  std::string text;          // without special tokens; ends before a stop string
  std::vector<int32_t> ids;  // all generated ids, end token included
  FinishReason finish = FinishReason::length;
  double score = 0;  // beam search only
};

// A directory's end tokens ("eos_token_id" of generation_config.json, else config.json), if any. Ids outside the
// vocabulary, which never come, are left out, with a warning.
std::optional<std::vector<int32_t>> named_end_ids(const std::string& directory, const ModelConfig& config,
                                                  std::vector<std::string>* warnings = nullptr);

class TextGenerator {
 public:
  // Receives newly completed text of prompt `index`.
  using Sink = std::function<void(size_t index, const std::string& text)>;
  // Receives each token of prompt `index`, with the text that it completed, maybe none. False: that text ends here.
  using TokenSink = std::function<bool(size_t index, int32_t id, const std::string& text)>;

  // Model and tokenizer must outlive it. UsageError for options inconsistent with each other or the model, DataError
  // for a model that cannot generate, or if the KV cache exceeds available memory (checked before allocation).
  TextGenerator(const Model& model, const Tokenizer& tokenizer, GenerationOptions options);
  TextGenerator(const TextGenerator&) = delete;
  TextGenerator& operator=(const TextGenerator&) = delete;

  // Encodes a prompt: [CLS] text for a causal model, without the end token that the tokenizer would add (one written in
  // the text stays), [CLS] text [SEP] for a prefix model. If it exceeds the window, the oldest tokens except the first
  // are dropped (Overflow::shift), else DataError.
  Prompt prompt(std::string_view text, int64_t number) const;
  // The same of ids as they are: of a chat, whose template has all special tokens.
  Prompt prompt(std::vector<int32_t> ids, int64_t number) const;

  // Results in the order of prompts. Sampling depends on seed and number only, not on the other prompts. Interrupted if
  // a stop is requested; DataError, naming a tensor, for non-finite logits.
  std::vector<Generated> run(std::span<const Prompt> prompts, const Sink& sink) const;
  std::vector<Generated> run(std::span<const Prompt> prompts, const TokenSink& sink) const;
  // The same for texts in memory, which are numbered from 0 and continued `batch` of the options at a time. An error of
  // one of several prompts starts with "text N: ", N counted from 1.
  std::vector<Generated> run_texts(Texts texts, const TokenSink& sink) const;

  int64_t window() const { return window_; }

 private:
  struct Sequence;

  void check_options() const;
  void check_memory(int64_t sequences, int64_t tokens) const;
  Sequence start(size_t index, const Prompt& prompt) const;
  void prepare(std::span<const int32_t> ids, int64_t generated, std::vector<double>& logits) const;
  bool ensure_capacity(GenerationPass& pass, int64_t sequence) const;
  void choose(Sequence& sequence, std::vector<double>& logits) const;
  void add(Sequence& sequence, int32_t id) const;
  std::vector<Generated> sample(std::span<const Prompt> prompts, const TokenSink& sink) const;
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
