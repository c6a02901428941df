// roformer generate: continues texts.
#include "generation/generate.h"

#include <algorithm>
#include <iostream>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/error.h"
#include "base/inapplicable_error.h"
#include "base/json.h"
#include "base/signal.h"
#include "cli/engine.h"
#include "cli/registry.h"
#include "cli/sampling_choices.h"
#include "cli/text_input.h"
#include "cli/tokenizer_options.h"
#include "text/chat.h"

namespace roformer {
namespace {

struct GenerateOptions {
  TextInput texts;
  std::vector<std::string> prompts;
  EngineOptions engine;
  TokenizerOptions tokenizer;
  std::string model;
  int64_t max_new_tokens = 128, min_new_tokens = 0, batch_size = 8, seed = 0, beam = 1;
  bool greedy = false, echo = false, json = false, chat = false;
  std::optional<std::string> system;
  SamplingChoices sampling;
  std::optional<double> length_penalty;
  std::optional<int64_t> context;
  double repetition_penalty = 1;
  std::vector<std::string> stop;
  std::optional<std::string> overflow, attention_mask;
};

void describe_decoding(OptionSet& set, GenerateOptions& options) {
  constexpr double kMaxFactor = 1e6;
  set.section("Decoding");
  set.add("--greedy", options.greedy, "always choose the most probable token instead of sampling");
  add_sampling(set, options.sampling);
  set.add("--repetition-penalty", options.repetition_penalty,
          "above 1: tokens that have occurred already become less probable",
          {.low = 0, .high = kMaxFactor, .low_excluded = true});
  set.add("--beam", options.beam, "number of beams of beam search, which does not sample; 1 = no beam search",
          {1, 1024});
  set.add("--length-penalty", options.length_penalty,
          "beam search: exponent p of the score log P / length^p (default: 1)", {-100, 100});
  add_seed(set, options.seed);
}

void describe(OptionSet& set, GenerateOptions& options) {
  constexpr int64_t kMaxTokenCount = int64_t{1} << 29;
  add_texts(set, options.texts);
  set.add("--prompt", options.prompts, "text to continue; may be repeated", "TEXT");
  set.add("--model", options.model, "model directory", "DIR");
  set.require("--model");
  add_json(set, options.json);
  set.add("--echo", options.echo, "print the prompt before its continuation");
  set.add("--max-new-tokens", options.max_new_tokens, "maximum number of tokens to generate", {0, kMaxTokenCount});
  set.add("--min-new-tokens", options.min_new_tokens, "minimum number of tokens to generate before an end token",
          {0, kMaxTokenCount});
  set.add("--stop", options.stop, "end a text before the first of these strings", "TEXT");
  describe_decoding(set, options);
  set.section("Chats");
  set.add("--chat", options.chat,
          "answer: each prompt is the user's turn, or a list of messages ([{\"role\": \"user\", \"content\": "
          "\"...\"}]), in "
          "the model's chat template");
  set.add("--system", options.system, "--chat: the system message", "TEXT");
  set.section("Long texts");
  set.add(
      "--context", options.context,
      "context length in tokens (default: max_position_embeddings of config.json, lengthened by its rotary scaling)",
      {2, kMaxTokenCount});
  set.add("--overflow", options.overflow,
          "when the context is full: shift (drop the older half), stop or error (default: shift, or stop where "
          "positions are added to the input)",
          "NAME");
  set.section("Running");
  set.add("--batch-size", options.batch_size, "texts per batch", {1, 4096});
  set.add("--attention-mask", options.attention_mask,
          "causal, or prefix as in UniLM, which RoFormer-Sim generates with (default: the model's)", "NAME");
  add_tokenizer(set, options.tokenizer);
  add_engine(set, options.engine);
}

GenerationOptions generation_options(const GenerateOptions& options) {
  const bool draws = options.sampling.given();
  if (options.greedy && draws) {
    throw InapplicableError("{} does not sample: expected neither {} nor {}, {} or {}", FieldName("greedy"),
                            FieldName("temperature"), FieldName("top_k"), FieldName("top_p"), FieldName("min_p"));
  }
  if (options.beam > 1 && (draws || options.greedy)) {
    throw InapplicableError("{} {} does not sample: expected neither {} nor {}, {}, {} or {}", FieldName("beam"),
                            options.beam, FieldName("greedy"), FieldName("temperature"), FieldName("top_k"),
                            FieldName("top_p"), FieldName("min_p"));
  }
  if (options.beam == 1 && options.length_penalty) {
    throw InapplicableError("{} requires {} of at least 2", FieldName("length_penalty"), FieldName("beam"));
  }
  SamplingOptions sampling = options.sampling.options();
  sampling.greedy = options.greedy;
  sampling.repetition_penalty = options.repetition_penalty;
  GenerationOptions result{.sampling = sampling,
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
    throw InapplicableError("{}: expected either prompts or texts without an option, got both", FieldName("prompt"));
  }
  if (!input.input.empty()) {
    throw InapplicableError("{}: expected either prompts or {}, got both", FieldName("prompt"), FieldName("input"));
  }
  input.texts = options.prompts;
  return input;
}

// Prints the texts of a batch in order: the first unfinished one as it is generated, the others in their turn.
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

  std::vector<std::string> texts_;  // not printed yet
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

void warn_of_cut(const std::string& location, const Prompt& prompt) {
  const int64_t left = std::ssize(prompt.ids);
  std::cerr << fmt::format("roformer: {}: the prompt has {} tokens, the context {}: tokens 2 to {} are left out\n",
                           location, left + prompt.dropped, left, prompt.dropped + 1);
}

// A prompt as a chat: a list of messages, or a turn of the user.
std::vector<ChatMessage> chat_of(const std::string& text, const GenerateOptions& options) {
  std::vector<ChatMessage> messages;
  if (text.starts_with("[{")) {
    messages = read_chat(text, "chat");
  } else {
    messages.push_back({"user", text});
  }
  if (options.system) {
    if (messages.front().role == "system")
      throw DataError("the chat has a system message of its own, beside {}", FieldName("system"));
    messages.insert(messages.begin(), {"system", *options.system});
  }
  return messages;
}

// Turns end there, too.
void add_turn_end(const Session& session, const ChatTemplate& chat, std::optional<std::vector<int32_t>>& ends) {
  const Tokenizer& tokenizer = session.tokenizer();
  if (!ends) ends.emplace();
  if (ends->empty() && tokenizer.has(SpecialToken::sep)) ends->push_back(tokenizer.sep_id());
  const int32_t id = *tokenizer.id(chat.turn_end());
  if (std::ranges::find(*ends, id) == ends->end()) ends->push_back(id);
}

void run(const GenerateOptions& options) {
  if (options.system && !options.chat) {
    throw InapplicableError("{} is for {} alone", FieldName("system"), FieldName("chat"));
  }
  GenerationOptions generation = generation_options(options);
  const StopOnSignal stop;
  generation.stop_token = stop.token();
  TextReader reader(input_of(options), stop.token());
  const Session session(options.model, {.engine = options.engine, .tokenizer = load_options(options.tokenizer)});
  print_warnings(session.notes());
  std::vector<std::string> warnings;
  generation.end_ids = named_end_ids(session.directory(), session.model().config(), &warnings);
  std::ranges::for_each(warnings, print_warning);
  std::optional<ChatTemplate> chat;
  if (options.chat) {
    chat = load_chat_template(session.directory(), session.tokenizer());
    add_turn_end(session, *chat, generation.end_ids);
  }
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
        const int64_t number = reader.count() - 1;
        prompts.push_back(
            chat ? generator.prompt(session.tokenizer().encode_plain(chat->apply(chat_of(text, options))), number)
                 : generator.prompt(text, number));
        if (prompts.back().dropped > 0) warn_of_cut(reader.location(), prompts.back());
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
          .prepare = prepare_with<GenerateOptions>(describe, run)};
}

}  // namespace roformer
