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

void write_candidates(const Tokenizer& tokenizer, const std::string& text, const MaskCandidates& masks, bool json,
                      std::string& line) {
  if (json) {
    Json lists = Json::array();
    for (const auto& candidates : masks) {
      Json list = Json::array();
      for (const Candidate& c : candidates) {
        list.push_back({{"token", tokenizer.token(c.id)}, {"id", c.id}, {"score", c.score}});
      }
      lists.push_back(std::move(list));
    }
    line = dump_json({{"text", text}, {"masks", lists}});
    return;
  }
  line = text;
  for (const auto& candidates : masks) {
    line += '\n';
    for (const Candidate& c : candidates) line += fmt::format("  {:.3f} {}", c.score, tokenizer.token(c.id));
  }
}

void run(const FillMaskOptions& options) {
  const Session session(options.run.model, session_options(options.run));
  warn_unknown_keys(session);
  const Tokenizer& tokenizer = session.tokenizer();
  session.model().mlm_head();  // or there is nothing to read texts for
  answer_texts("fill-mask", options.run, session, encode_masked_text(tokenizer),
               [&](const TextBatch& batch, std::string& lines) {
                 const auto filled = fill_masks(session.model(), tokenizer, batch.batch, options.top_k);
                 append_lines(session.pool(), filled.size(), lines, [&](size_t i, std::string& line) {
                   write_candidates(tokenizer, batch.items[i].text, filled[i], options.run.json, line);
                 });
               });
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
