#include "generation/generate.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/stop.h"
#include "generation/continued_text.h"
#include "generation/pass.h"
#include "text/token_rows.h"

namespace roformer {

namespace {

AttentionMask generation_mask(const ModelConfig& config, std::optional<AttentionMask> asked) {
  if (asked == AttentionMask::bidirectional) {
    throw UsageError("{} all: expected causal or prefix", FieldName("attention_mask"));
  }
  const AttentionMask attention_mask = asked.value_or(config.attention_mask);
  if (attention_mask != AttentionMask::bidirectional) return attention_mask;
  throw DataError(
      "the model has bidirectional attention (config.json has no is_decoder) and cannot generate text; a "
      "model trained with UniLM's attention, such as RoFormer-Sim, generates with {} prefix",
      FieldName("attention_mask"));
}

// The maximum length of encodings with a limit; 0: no limit.
int64_t longest(const ModelConfig& config) {
  if (const auto* learned = std::get_if<LearnedPosition>(&config.position)) {
    return learned->hierarchical ? config.max_positions * config.max_positions : config.max_positions;
  }
  if (const auto* tupe = std::get_if<TupePosition>(&config.position)) return tupe->max_positions;
  return 0;
}

constexpr int64_t kLongestText = int64_t{1} << 29;  // the largest position

// The texts that the model is meant for.
int64_t usual_length(const ModelConfig& config) {
  const auto* rotary = std::get_if<RotaryPosition>(&config.position);
  return rotary == nullptr ? config.max_positions : scaled_positions(rotary->rotary.scaling, config.max_positions);
}

int64_t window_of(const ModelConfig& config, std::optional<int64_t> asked) {
  const int64_t limit = longest(config);
  if (asked && *asked < 2) throw UsageError("{} is {}, expected at least 2", FieldName("context"), *asked);
  if (asked && limit > 0 && *asked > limit) {
    throw UsageError("{} is {}, expected at most {}: the model's positions end there", FieldName("context"), *asked,
                     limit);
  }
  const bool constant = limit == 0 && decoding_bytes(config) == 0;  // linear attention: constant memory
  const int64_t own = limit > 0 ? limit : constant ? kLongestText : usual_length(config);
  return asked.value_or(std::max<int64_t>(2, own));
}

}  // namespace

Overflow parse_overflow(const std::string& name) {
  if (name == "shift") return Overflow::shift;
  if (name == "stop") return Overflow::stop;
  if (name == "error") return Overflow::error;
  throw UsageError("{} is {}; expected shift, stop or error", FieldName("overflow"), quote(name));
}

const char* finish_name(FinishReason finish) {
  switch (finish) {
    case FinishReason::end: return "end";
    case FinishReason::stop: return "stop";
    case FinishReason::length: return "length";
    case FinishReason::window: return "context";
    case FinishReason::halted: return "halted";
  }
  return "";
}

std::optional<std::vector<int32_t>> named_end_ids(const std::string& directory, const ModelConfig& config,
                                                  std::vector<std::string>* warnings) {
  constexpr const char* kKey = "eos_token_id";
  for (const char* file : {"generation_config.json", "config.json"}) {
    const std::string path = join_path(directory, file);
    if (!exists(path)) continue;
    const JsonObject json = JsonObject::read(path);
    if (!json.has(kKey)) continue;
    const Json& value = json.value().at(kKey);
    std::vector<int32_t> ids;
    for (const Json& id : value.is_array() ? value : Json::array({value})) {
      if (!id.is_number_integer()) json.reject(kKey, "an id, or a list of ids");
      if (id >= 0 && id < config.vocabulary) {
        ids.push_back(id.get<int32_t>());
      } else if (warnings != nullptr) {
        warnings->push_back(fmt::format("{}: '{}' names {}, which the vocabulary of {} lacks: no text ends with it",
                                        path, kKey, dump_json(id), config.vocabulary));
      }
    }
    return ids;
  }
  return std::nullopt;
}

// A text being generated.
struct TextGenerator::Sequence {
  size_t index;    // of its prompt
  int64_t number;  // Prompt::number
  std::vector<int32_t> ids;
  ContinuedText text;
  Generated result;
  std::string fresh;  // completed text not yet passed to the sink
  bool done = false;
};

TextGenerator::TextGenerator(const Model& model, const Tokenizer& tokenizer, GenerationOptions options)
    : model_(model),
      tokenizer_(tokenizer),
      options_(std::move(options)),
      attention_mask_(generation_mask(model.config(), options_.attention_mask)),
      window_(window_of(model.config(), options_.window)),
      overflow_(options_.overflow.value_or(can_forget(model.config()) ? Overflow::shift : Overflow::stop)),
      end_ids_(options_.end_ids ? *options_.end_ids : std::vector<int32_t>{tokenizer.sep_id()}) {
  model.mlm_head();  // throws if there is none
  check_options();
  if (options_.window) check_memory(options_.batch * options_.beams, window_);
}

void TextGenerator::check_options() const {
  validate(options_.sampling);
  const auto check = [](bool good, const char* name, int64_t value, const char* expected) {
    if (!good) throw UsageError("{} is {}, expected {}", FieldName(name), value, expected);
  };
  check(options_.max_new_tokens >= 0, "max_new_tokens", options_.max_new_tokens, "0 or more");
  check(options_.min_new_tokens >= 0 && options_.min_new_tokens <= options_.max_new_tokens, "min_new_tokens",
        options_.min_new_tokens, "0 to max_new_tokens");
  check(options_.batch >= 1, "batch_size", options_.batch, "1 or more");
  check(options_.beams >= 1, "beam", options_.beams, "1 or more");
  if (overflow_ == Overflow::shift && !can_forget(model_.config())) {
    throw UsageError("{} shift moves tokens to earlier positions, which {} does not support; expected stop or error",
                     FieldName("overflow"), forget_obstacle(model_.config()));
  }
  const ContinuedText checks_stops(tokenizer_, {}, options_.stops);
}

void TextGenerator::check_memory(int64_t sequences, int64_t tokens) const {
  const double needed = static_cast<double>(sequences) * static_cast<double>(decoding_bytes(model_.config(), tokens));
  const auto available = static_cast<double>(available_memory());
  if (needed <= available) return;
  throw DataError(
      "{} texts of {} tokens need {:.0f} bytes ({:.1f} GB) for keys and values, this machine has {:.1f} GB free",
      sequences, tokens, needed, needed / 1e9, available / 1e9);
}

Prompt TextGenerator::prompt(std::string_view text, int64_t number) const {
  Encoding encoding = tokenizer_.encode(text);
  std::vector<int32_t>& ids = encoding.ids;
  // The text continues, so the tokenizer's end token is dropped. One that the user wrote has a place in the text.
  const bool causal = attention_mask_ == AttentionMask::causal;
  const bool added = !ids.empty() && encoding.offsets.back() == std::array<int64_t, 2>{0, 0};
  if (causal && added && tokenizer_.has(SpecialToken::sep) && ids.back() == tokenizer_.sep_id()) ids.pop_back();
  return prompt(std::move(ids), number);
}

Prompt TextGenerator::prompt(std::vector<int32_t> given, int64_t number) const {
  Prompt prompt{.ids = std::move(given), .number = number};
  std::vector<int32_t>& ids = prompt.ids;
  check_rows(tokenizer_, ids, model_.config().vocabulary);
  if (ids.empty()) throw DataError("the prompt is empty, and the tokenizer has no begin token");
  const auto limit = static_cast<size_t>(window_);
  if (ids.size() <= limit) return prompt;
  if (overflow_ != Overflow::shift) {
    throw DataError("the prompt has {} tokens, expected at most {} ({}); {} shift drops the oldest", ids.size(), limit,
                    FieldName("context"), FieldName("overflow"));
  }
  prompt.dropped = std::ssize(ids) - window_;
  ids.erase(ids.begin() + 1, ids.begin() + 1 + prompt.dropped);
  return prompt;
}

TextGenerator::Sequence TextGenerator::start(size_t index, const Prompt& prompt) const {
  // A prefix model's output is a separate text.
  const std::span<const int32_t> before =
      attention_mask_ == AttentionMask::prefix ? std::span<const int32_t>() : prompt.ids;
  return {.index = index,
          .number = prompt.number,
          .ids = prompt.ids,
          .text = ContinuedText(tokenizer_, before, options_.stops),
          .result = {},
          .fresh = {}};
}

// Logits processing common to sampling and beam search, for the token after `ids`, of which `generated` were generated.
void TextGenerator::prepare(std::span<const int32_t> ids, int64_t generated, std::vector<double>& logits) const {
  penalize_repetition(logits, ids, options_.sampling.repetition_penalty);
  if (generated >= options_.min_new_tokens) return;
  for (const int32_t end : end_ids_) {
    if (end < std::ssize(logits)) logits[static_cast<size_t>(end)] = -std::numeric_limits<double>::infinity();
  }
}

// Chooses the next token from its logits.
void TextGenerator::choose(Sequence& sequence, std::vector<double>& logits) const {
  const SamplingOptions& sampling = options_.sampling;
  const auto step = std::ssize(sequence.result.ids);
  prepare(sequence.ids, step, logits);
  const bool greedy = sampling.greedy || sampling.temperature == 0;
  const double number =
      sampling_number(options_.seed, static_cast<uint64_t>(sequence.number), static_cast<uint64_t>(step));
  add(sequence, greedy ? best_token(logits) : distribution(logits, sampling).at(number));
}

void TextGenerator::add(Sequence& sequence, int32_t id) const {
  Generated& result = sequence.result;
  sequence.ids.push_back(id);
  result.ids.push_back(id);
  const bool end = std::find(end_ids_.begin(), end_ids_.end(), id) != end_ids_.end();
  if (!end) sequence.fresh += sequence.text.push(id);
  sequence.done = end || sequence.text.stopped() || std::ssize(result.ids) >= options_.max_new_tokens;
  if (!sequence.done) return;
  if (!sequence.text.stopped()) sequence.fresh += sequence.text.finish();
  result.finish = sequence.text.stopped() ? FinishReason::stop : end ? FinishReason::end : FinishReason::length;
}

// Makes space for one more token of a sequence if possible; returns whether there is.
bool TextGenerator::ensure_capacity(GenerationPass& pass, int64_t sequence) const {
  if (!pass.full(sequence)) return true;
  if (overflow_ == Overflow::error) {
    throw DataError("a text filled its context of {} tokens ({} error)", window_, FieldName("overflow"));
  }
  if (overflow_ == Overflow::shift) pass.shift(sequence);
  return overflow_ == Overflow::shift;
}

std::vector<Generated> TextGenerator::run(std::span<const Prompt> prompts, const Sink& sink) const {
  return run(prompts, [&](size_t index, int32_t, const std::string& text) {
    if (!text.empty()) sink(index, text);
    return true;
  });
}

std::vector<Generated> TextGenerator::run(std::span<const Prompt> prompts, const TokenSink& sink) const {
  for (const Prompt& prompt : prompts) {
    if (prompt.ids.empty() || std::ssize(prompt.ids) > window_) {
      throw DataError("a prompt of {} tokens, expected 1 to {}", prompt.ids.size(), window_);
    }
    const int64_t tokens = std::min(window_, std::ssize(prompt.ids) + options_.max_new_tokens);
    check_memory(std::ssize(prompts) * options_.beams, tokens);
  }
  if (prompts.empty() || options_.max_new_tokens == 0) return std::vector<Generated>(prompts.size());
  try {
    if (options_.beams == 1) return sample(prompts, sink);
    std::vector<Generated> results;
    for (const Prompt& prompt : prompts) {
      results.push_back(search(prompt));
      sink(results.size() - 1, results.back().ids.back(), results.back().text);
    }
    return results;
  } catch (const Interrupted&) {
    throw Interrupted("interrupted while generating");
  }
}

std::vector<Generated> TextGenerator::run_texts(Texts texts, const TokenSink& sink) const {
  std::vector<Prompt> prompts;
  for (size_t i = 0; i < texts.size(); ++i) {
    const auto number = static_cast<int64_t>(i);
    try {
      prompts.push_back(prompt(texts[i], number));
    } catch (const DataError& error) {
      throw error.prefixed(texts.size() > 1 ? fmt::format("text {}: ", number + 1) : "");
    }
  }
  std::vector<Generated> results;
  for (size_t first = 0; first < prompts.size(); first = results.size()) {
    const size_t count = std::min(prompts.size() - first, static_cast<size_t>(options_.batch));
    const auto shifted = [&](size_t index, int32_t id, const std::string& text) {
      return sink(first + index, id, text);
    };
    for (Generated& one : run(std::span(prompts).subspan(first, count), shifted)) results.push_back(std::move(one));
  }
  return results;
}

std::vector<Generated> TextGenerator::sample(std::span<const Prompt> prompts, const TokenSink& sink) const {
  std::vector<Generated> results(prompts.size());
  std::vector<Sequence> live;
  std::vector<std::vector<int32_t>> first;
  for (const Prompt& prompt : prompts) {
    live.push_back(start(live.size(), prompt));
    first.push_back(prompt.ids);
  }
  GenerationPass pass(model_, attention_mask_, std::ssize(prompts), window_, tokenizer_.vocabulary_size(),
                      options_.stop_token);
  GenerationPass::Logits logits;
  pass.prompts(first, logits);
  while (true) {
    model_.backend().pool().run(
        std::ssize(live), [&](int64_t i) { choose(live[static_cast<size_t>(i)], logits[static_cast<size_t>(i)]); });
    std::vector<int32_t> staying;
    for (size_t i = 0; i < live.size(); ++i) {
      Sequence& sequence = live[i];
      const auto sequence_index = static_cast<int64_t>(i);
      if (!sequence.done && !ensure_capacity(pass, sequence_index)) {
        sequence.fresh += sequence.text.finish();
        sequence.result.finish = FinishReason::window;
        sequence.done = true;
      }
      sequence.result.text += sequence.fresh;
      if (!sink(sequence.index, sequence.result.ids.back(), std::exchange(sequence.fresh, {})) && !sequence.done) {
        sequence.result.finish = FinishReason::halted;
        sequence.done = true;
      }
      if (!sequence.done) staying.push_back(static_cast<int32_t>(i));
      if (sequence.done) results[sequence.index] = std::move(sequence.result);
    }
    throw_if_stopped(options_.stop_token);
    if (staying.empty()) return results;
    if (staying.size() < live.size()) {
      pass.select(staying);
      std::vector<Sequence> rest;
      rest.reserve(staying.size());
      for (const int32_t i : staying) rest.push_back(std::move(live[static_cast<size_t>(i)]));
      live = std::move(rest);
    }
    std::vector<int32_t> ids;
    ids.reserve(live.size());
    for (const Sequence& sequence : live) ids.push_back(sequence.ids.back());
    pass.step(ids, logits);
  }
}

Generated TextGenerator::search(const Prompt& prompt) const {
  BeamSearch beams({.beams = options_.beams,
                    .length_penalty = options_.length_penalty,
                    .max_tokens = options_.max_new_tokens,
                    .end_ids = end_ids_});
  GenerationPass pass(model_, attention_mask_, 1, window_, tokenizer_.vocabulary_size(), options_.stop_token);
  GenerationPass::Logits logits;
  pass.prompts({&prompt.ids, 1}, logits);
  while (true) {
    std::vector<std::vector<NextToken>> next;
    for (size_t i = 0; i < logits.size(); ++i) {
      normalize_logs(logits[i]);
      std::vector<int32_t> seen = prompt.ids;
      const std::vector<int32_t>& generated = beams.live()[i];
      seen.insert(seen.end(), generated.begin(), generated.end());
      prepare(seen, std::ssize(generated), logits[i]);
      next.push_back(best_tokens(logits[i], beams.candidates()));
    }
    const std::vector<int32_t> parents = beams.advance(next);
    throw_if_stopped(options_.stop_token);
    if (beams.done()) break;
    pass.select(parents);
    std::vector<int32_t> ids;
    bool fits = true;
    for (int64_t s = 0; s < std::ssize(parents); ++s) fits = ensure_capacity(pass, s);  // all have the same length
    if (!fits) {
      Generated result = finished(prompt, beams.best(1).front());
      if (result.finish == FinishReason::length) result.finish = FinishReason::window;
      return result;
    }
    for (const std::vector<int32_t>& beam : beams.live()) ids.push_back(beam.back());
    pass.step(ids, logits);
  }
  return finished(prompt, beams.best(1).front());
}

// The best hypothesis's text, decoded as if it had been generated token by token.
Generated TextGenerator::finished(const Prompt& prompt, const Hypothesis& best) const {
  Sequence sequence = start(0, prompt);
  for (const int32_t id : best.ids) {
    if (sequence.done) break;
    add(sequence, id);
  }
  Generated result = std::move(sequence.result);
  if (!sequence.done) sequence.fresh += sequence.text.finish();
  result.text = sequence.fresh;
  result.score = best.score;
  return result;
}

}  // namespace roformer
