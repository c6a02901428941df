// roformer generate: continues texts.
#include "generation/generate.h"

#include <algorithm>
#include <iostream>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/error.h"
#include "base/json.h"
#include "base/signal.h"
#include "cli/engine.h"
#include "cli/registry.h"
#include "cli/text_input.h"
#include "cli/tokenizer_options.h"

namespace roformer {
namespace {

struct GenerateOptions {
  TextInput texts;
  std::vector<std::string> prompts;
  EngineOptions engine;
  TokenizerOptions tokenizer;
  std::string model;
  int64_t max_new_tokens = 128, min_new_tokens = 0, batch_size = 8, seed = 0, beam = 1;
  bool greedy = false, echo = false, json = false;
  std::optional<double> temperature, top_p, min_p, length_penalty;
  std::optional<int64_t> top_k, context;
  double repetition_penalty = 1;
  std::vector<std::string> stop;
  std::optional<std::string> overflow, attention_mask;
};

void describe_choice(OptionSet& set, GenerateOptions& options) {
  constexpr double kMost = 1e6;
  set.section("Choice of tokens");
  set.add("--greedy", options.greedy, "always the most probable token, instead of drawing one");
  set.add("--temperature", options.temperature, "divides the scores that are drawn from; 0 = --greedy (default: 1)",
          {0, kMost});
  set.add("--top-k", options.top_k, "draw from the k most probable tokens only; 0 = all (default: 50)",
          {0, int64_t{1} << 31});
  set.add("--top-p", options.top_p, "draw from the fewest tokens that have this probability together (default: 1)",
          {.low = 0, .high = 1, .low_excluded = true});
  set.add("--min-p", options.min_p,
          "draw only what has this share of the most probable token's probability (default: 0)", {0, 1});
  set.add("--repetition-penalty", options.repetition_penalty,
          "above 1: tokens that are there already become less probable",
          {.low = 0, .high = kMost, .low_excluded = true});
  set.add("--beam", options.beam, "beams of a beam search, which draws nothing; 1 = none", {1, 1024});
  set.add("--length-penalty", options.length_penalty,
          "of beam search: sequences count log P / length^this (default: 1)", {-100, 100});
  add_seed(set, options.seed);
}

void describe(OptionSet& set, GenerateOptions& options) {
  constexpr int64_t kMostTokens = int64_t{1} << 29;
  add_texts(set, options.texts);
  set.add("--prompt", options.prompts, "text to continue; may be repeated", "TEXT");
  set.add("--model", options.model, "model directory", "DIR");
  set.require("--model");
  add_json(set, options.json);
  set.add("--echo", options.echo, "print the prompt before its continuation");
  set.add("--max-new-tokens", options.max_new_tokens, "end a text after so many", {0, kMostTokens});
  set.add("--min-new-tokens", options.min_new_tokens, "no end of text before so many", {0, kMostTokens});
  set.add("--stop", options.stop, "end a text before the first of these strings", "TEXT");
  describe_choice(set, options);
  set.section("Long texts");
  set.add("--context", options.context,
          "tokens of a text that the model sees (default: max_position_embeddings of its config.json)",
          {2, kMostTokens});
  set.add("--overflow", options.overflow,
          "when a text has filled them: shift (forget the older half), stop or error (default: shift, or stop where "
          "positions are added to the input)",
          "NAME");
  set.section("Running");
  set.add("--batch-size", options.batch_size, "texts continued together", {1, 4096});
  set.add("--attention-mask", options.attention_mask,
          "causal, or prefix: UniLM's generation of RoFormer-Sim (default: the model's)", "NAME");
  add_tokenizer(set, options.tokenizer);
  add_engine(set, options.engine);
}

GenerationOptions generation_options(const GenerateOptions& options) {
  const bool draws = options.temperature || options.top_k || options.top_p || options.min_p;
  if (options.greedy && draws) {
    throw UsageError("{} draws no token: expected neither {} nor {}, {} or {}", FieldName("greedy"),
                     FieldName("temperature"), FieldName("top_k"), FieldName("top_p"), FieldName("min_p"));
  }
  if (options.beam > 1 && (draws || options.greedy)) {
    throw UsageError("{} {} draws no token: expected neither {} nor {}, {}, {} or {}", FieldName("beam"), options.beam,
                     FieldName("greedy"), FieldName("temperature"), FieldName("top_k"), FieldName("top_p"),
                     FieldName("min_p"));
  }
  if (options.beam == 1 && options.length_penalty) {
    throw UsageError("{} is for {}, of 2 or more", FieldName("length_penalty"), FieldName("beam"));
  }
  constexpr int64_t kTopK = 50;
  GenerationOptions result{.sampling = {.greedy = options.greedy,
                                        .temperature = options.temperature.value_or(1),
                                        .top_k = options.top_k.value_or(kTopK),
                                        .top_p = options.top_p.value_or(1),
                                        .min_p = options.min_p.value_or(0),
                                        .repetition_penalty = options.repetition_penalty},
                           .beams = options.beam,
                           .length_penalty = options.length_penalty.value_or(1),
                           .max_new_tokens = options.max_new_tokens,
                           .min_new_tokens = options.min_new_tokens,
                           .stops = options.stop,
                           .seed = static_cast<uint64_t>(options.seed),
                           .window = options.context,
                           .overflow = {},
                           .attention_mask = {},
                           .end_ids = {},
                           .batch = options.beam == 1 ? options.batch_size : 1,
                           .stop_token = {}};
  if (options.overflow) result.overflow = parse_overflow(*options.overflow);
  if (options.attention_mask) result.attention_mask = parse_attention_mask(*options.attention_mask);
  return result;
}

TextInput input_of(const GenerateOptions& options) {
  TextInput input = options.texts;
  if (options.prompts.empty()) return input;
  if (!input.texts.empty()) {
    throw UsageError("{}: expected either prompts or texts without an option, got both", FieldName("prompt"));
  }
  if (!input.input.empty()) {
    throw UsageError("{}: expected either prompts or {}, got both", FieldName("prompt"), FieldName("input"));
  }
  input.texts = options.prompts;
  return input;
}

// The texts of a batch one below the other: the first unfinished one as it comes, the others when it is their turn.
class Printer {
 public:
  Printer(std::vector<std::string> prompts, bool echo) : texts_(prompts.size()) {
    if (echo) texts_ = std::move(prompts);
  }

  void add(size_t index, const std::string& text) {
    texts_[index] += text;
    if (index == shown_) show();
  }
  void finish() {
    for (; shown_ < texts_.size(); ++shown_) {
      show();
      std::cout << '\n';
    }
    std::cout.flush();
  }
  void interrupt() {
    if (shown_ < texts_.size()) show();
    std::cout << std::endl;
  }

 private:
  void show() { std::cout << std::exchange(texts_[shown_], {}) << std::flush; }

  std::vector<std::string> texts_;  // what is not shown yet
  size_t shown_ = 0;
};

void print_json(const std::vector<std::string>& texts, const std::vector<Generated>& results, bool beams) {
  std::string lines;
  for (size_t i = 0; i < results.size(); ++i) {
    Json line{{"prompt", texts[i]},
              {"text", results[i].text},
              {"ids", results[i].ids},
              {"finish", finish_name(results[i].finish)}};
    if (beams) line["score"] = results[i].score;
    lines += dump_json(line) + '\n';
  }
  std::cout << lines << std::flush;
}

void generate_batch(const TextGenerator& generator, const GenerateOptions& options,
                    const std::vector<std::string>& texts, const std::vector<Prompt>& prompts) {
  if (options.json) {
    return print_json(texts, generator.run(prompts, [](size_t, const std::string&) {}), options.beam > 1);
  }
  Printer printer(texts, options.echo);
  try {
    generator.run(prompts, [&](size_t index, const std::string& text) { printer.add(index, text); });
  } catch (const Interrupted&) {
    printer.interrupt();
    throw;
  }
  printer.finish();
}

void run(const GenerateOptions& options) {
  GenerationOptions generation = generation_options(options);
  const StopOnSignal stop;
  generation.stop_token = stop.token();
  TextReader reader(input_of(options), stop.token());
  const Session session(options.model, {.engine = options.engine, .tokenizer = load_options(options.tokenizer)});
  warn_unknown_keys(session);
  generation.end_ids = named_end_ids(options.model, session.model().config());
  const TextGenerator generator(session.model(), session.tokenizer(), std::move(generation));
  for (bool ended = false; !ended;) {
    std::vector<std::string> texts;
    std::vector<Prompt> prompts;
    // The first may have to be waited for.
    while (std::ssize(texts) < options.batch_size && (texts.empty() || reader.ready())) {
      std::string text;
      ended = !reader.next(text);
      if (ended) break;
      try {
        prompts.push_back(generator.prompt(text, reader.count() - 1));
      } catch (const DataError& error) {
        throw error.prefixed(reader.location() + ": ");
      }
      texts.push_back(std::move(text));
    }
    if (!texts.empty()) generate_batch(generator, options, texts, prompts);
  }
}

}  // namespace

Command generate_command() {
  return {.name = "generate",
          .summary = "Continue texts",
          .group = "Use",
          .example = "roformer generate --model model --prompt \"In the beginning\" --max-new-tokens 50",
          .prepare = prepare_with(describe, run)};
}

}  // namespace roformer
