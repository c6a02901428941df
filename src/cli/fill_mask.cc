// roformer fill-mask: fills [MASK] in texts.
#include "inference/fill_mask.h"

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/json.h"
#include "cli/registry.h"
#include "cli/text_run.h"

namespace roformer {
namespace {

struct FillMaskOptions {
  TextRunOptions run;
  int64_t top_k = 5;
};

void describe(OptionSet& set, FillMaskOptions& options) {
  add_text_run(set, options.run);
  set.add("--top-k", options.top_k, "candidates for each [MASK]", {1, 1'000'000});
}

std::string candidates_json(const Tokenizer& tokenizer, const std::string& text, const MaskCandidates& masks) {
  Json lists = Json::array();
  for (const auto& candidates : masks) {
    Json list = Json::array();
    for (const Candidate& c : candidates) {
      list.push_back({{"token", tokenizer.token(c.id)}, {"id", c.id}, {"score", c.score}});
    }
    lists.push_back(std::move(list));
  }
  return dump_json({{"text", text}, {"masks", lists}});
}

// One mask: a line a candidate, with the text it makes. Several: a line a mask, and the text of the best of each.
std::string candidates_text(const Tokenizer& tokenizer, const TextItem& item, const MaskCandidates& masks) {
  const auto filled = [&](std::span<const int32_t> ids) {
    return filled_text(tokenizer, item.text, item.sequences.front(), ids);
  };
  std::string text = item.text;
  if (masks.size() == 1) {
    for (const Candidate& c : masks.front()) {
      text += fmt::format("\n  {:<8.3g}  {:<14}  {}", c.score, tokenizer.token(c.id), filled({&c.id, 1}));
    }
    return text;
  }
  std::vector<int32_t> best;
  for (const auto& candidates : masks) {
    text += '\n';
    for (const Candidate& c : candidates) text += fmt::format("  {:.3g} {}", c.score, tokenizer.token(c.id));
    best.push_back(candidates.front().id);
  }
  return text + "\n  " + filled(best);
}

void run(const FillMaskOptions& options) {
  const Session session(options.run.model, session_options(options.run));
  print_warnings(session.notes());
  const Tokenizer& tokenizer = session.tokenizer();
  session.model().mlm_head();  // throws before texts are read if there is none
  answer_texts("fill-mask", options.run, session, encode_masked_text(tokenizer),
               [&](const TextBatch& batch, std::string& lines) {
                 const auto filled = fill_masks(session.model(), tokenizer, batch.batch, options.top_k);
                 append_lines(session.pool(), filled.size(), lines, [&](size_t i, std::string& line) {
                   const TextItem& item = batch.items[i];
                   line = options.run.json ? candidates_json(tokenizer, item.text, filled[i])
                                           : candidates_text(tokenizer, item, filled[i]);
                 });
               });
}

}  // namespace

Command fill_mask_command() {
  return {.name = "fill-mask",
          .summary = "Fill [MASK] in texts",
          .group = "Use",
          .example = "roformer fill-mask --model model \"In the [MASK] God created the heaven and the earth.\"",
          .prepare = prepare_with<FillMaskOptions>(describe, run)};
}

}  // namespace roformer
