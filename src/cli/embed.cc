// roformer embed: texts to vectors.
#include "inference/embed.h"

#include "base/error.h"
#include "cli/registry.h"
#include "cli/sentence_vectors.h"
#include "inference/vector_file.h"

namespace roformer {
namespace {

struct EmbedCommand {
  TextRunOptions run;
  VectorOptions vectors;
  std::string output;
};

void describe(OptionSet& set, EmbedCommand& options) {
  add_text_run(set, options.run);
  add_vector_options(set, options.vectors);
  set.add("--output", options.output, "write one tensor [texts, width] to this .npy or .safetensors file instead",
          "FILE");
}

// {"embedding":[…],"tokens":n}, or the numbers alone.
void write_vector(const PooledText& pooled, bool json, std::string& line) {
  constexpr size_t kDigits = 13;
  line.reserve(pooled.values.size() * kDigits + 40);
  if (json) line += "{\"embedding\":[";
  for (size_t i = 0; i < pooled.values.size(); ++i) {
    if (i > 0) line += json ? ',' : ' ';
    append_float(line, pooled.values[i]);
  }
  if (json) line += fmt::format("],\"tokens\":{}}}", pooled.tokens);
}

void run(const EmbedCommand& options) {
  const Session session(options.run.model, session_options(options.run));
  warn_unknown_keys(session);
  const SentenceVectors how = sentence_vectors(options.vectors, session.model(), options.run.model);
  std::optional<VectorFile> file;
  if (!options.output.empty()) file.emplace(options.output, session.model().config().hidden);
  answer_texts("embed", options.run, session, encode_text(session.tokenizer(), how.max_length),
               [&](const TextBatch& batch, std::string& lines) {
                 const std::vector<PooledText> pooled = embed(session.model(), batch.batch, how.embed);
                 if (file) {
                   for (const PooledText& one : pooled) file->append(one.values);
                   return;
                 }
                 append_lines(session.pool(), pooled.size(), lines,
                              [&](size_t i, std::string& line) { write_vector(pooled[i], options.run.json, line); });
               });
  if (file) file->commit();
}

}  // namespace

Command embed_command() {
  return {.name = "embed",
          .summary = "Turn texts into vectors",
          .group = "Use",
          .example = "roformer embed --model model --normalize --json \"In the beginning\"",
          .prepare = prepare_with(describe, run)};
}

}  // namespace roformer
