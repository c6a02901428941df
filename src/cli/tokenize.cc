// roformer tokenize: text to tokens, as a model would see it.
#include <fmt/ranges.h>

#include <iostream>

#include "base/error.h"
#include "base/json.h"
#include "cli/registry.h"
#include "cli/text_input.h"
#include "text/tokenizer.h"

namespace roformer {
namespace {

struct TokenizeOptions {
  TextInput texts;
  std::string model;
  bool pair = false, json = false;
  int64_t max_length = 0;
};

void describe(OptionSet& set, TokenizeOptions& options) {
  add_texts(set, options.texts);
  set.add("--model", options.model, "model or tokenizer directory", "DIR");
  set.require("--model");
  set.add("--pair", options.pair, "an item is two texts separated by a tab");
  set.add("--max-length", options.max_length, "truncate to that many ids, the longer text first; 0 = never", {0});
  add_json(set, options.json);
}

Encoding encode(const Tokenizer& tokenizer, const TokenizeOptions& options, const std::string& text,
                const std::string& place) {
  try {
    if (!options.pair) return tokenizer.encode(text, std::nullopt, options.max_length);
    const size_t tab = text.find('\t');
    if (tab == std::string::npos) throw DataError("no tab between the two texts of a pair");
    return tokenizer.encode(std::string_view(text).substr(0, tab), std::string_view(text).substr(tab + 1),
                            options.max_length);
  } catch (const DataError& error) {
    throw DataError("{}: {}", place, error.what());
  }
}

void run(const TokenizeOptions& options) {
  const auto tokenizer = load_tokenizer(options.model);
  TextReader reader(options.texts);
  for (std::string text; reader.next(text);) {
    const Encoding encoding = encode(*tokenizer, options, text, reader.place());
    std::vector<std::string> tokens;
    for (const int32_t id : encoding.ids) tokens.push_back(tokenizer->token(id));
    if (options.json) {
      std::cout << dump_json({{"tokens", tokens},
                              {"ids", encoding.ids},
                              {"segment_ids", encoding.segment_ids},
                              {"offsets", encoding.offsets}})
                << "\n";
    } else {
      std::cout << fmt::format("{}\n", fmt::join(tokens, " "));
    }
  }
}

}  // namespace

Command tokenize_command() {
  return {.name = "tokenize",
          .summary = "Show the tokens of texts",
          .group = "Look inside",
          .example = "roformer tokenize --model tokenizer \"In the beginning\" --json",
          .prepare = prepare_with(describe, run)};
}

}  // namespace roformer
