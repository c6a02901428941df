// roformer fill-mask: fills [MASK] in texts.
#include "tasks/fill_mask.h"

#include <fmt/ranges.h>

#include <iostream>

#include "base/error.h"
#include "base/json.h"
#include "cli/engine.h"
#include "cli/registry.h"
#include "cli/text_input.h"

namespace roformer {
namespace {

struct FillMaskOptions {
  TextInput texts;
  EngineOptions engine;
  std::string model;
  int64_t top_k = 5;
  bool json = false;
};

void describe(OptionSet& set, FillMaskOptions& options) {
  add_texts(set, options.texts);
  set.add("--model", options.model, "model directory", "DIR");
  set.require("--model");
  set.add("--top-k", options.top_k, "candidates for each [MASK]", {1, 1'000'000});
  add_json(set, options.json);
  add_engine(set, options.engine);
}

void print(const FillMaskOptions& options, const Tokenizer& tokenizer, const std::string& text,
           const std::vector<std::vector<Candidate>>& masks) {
  if (options.json) {
    Json lists = Json::array();
    for (const auto& candidates : masks) {
      Json list = Json::array();
      for (const Candidate& c : candidates) {
        list.push_back({{"token", tokenizer.token(c.id)}, {"id", c.id}, {"score", c.score}});
      }
      lists.push_back(std::move(list));
    }
    std::cout << dump_json({{"text", text}, {"masks", lists}}) << "\n";
    return;
  }
  std::cout << text << "\n";
  for (const auto& candidates : masks) {
    for (const Candidate& c : candidates) std::cout << fmt::format("  {:.3f} {}", c.score, tokenizer.token(c.id));
    std::cout << "\n";
  }
}

void run(const FillMaskOptions& options) {
  const Engine engine(options.engine);
  std::vector<std::string> unknown;
  const Model model = load_model(options.model, *engine.backend, false, &unknown);
  warn_unknown_keys(options.model, unknown);
  const auto tokenizer = load_tokenizer(options.model);
  TextReader reader(options.texts);
  for (std::string text; reader.next(text);) {
    try {
      print(options, *tokenizer, text, fill_mask(model, *tokenizer, text, options.top_k));
    } catch (const DataError& error) {
      throw DataError("{}: {}", reader.place(), error.what());
    }
  }
}

}  // namespace

Command fill_mask_command() {
  return {.name = "fill-mask",
          .summary = "Fill [MASK] in texts",
          .group = "Use",
          .example = "roformer fill-mask --model model \"In the [MASK] God created the heaven and the earth.\"",
          .prepare = prepare_with(describe, run)};
}

}  // namespace roformer
