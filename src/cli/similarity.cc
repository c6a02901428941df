// roformer similarity: pairs of texts to the cosine of their vectors.
#include "base/error.h"
#include "cli/registry.h"
#include "cli/sentence_vectors.h"
#include "inference/embed.h"

namespace roformer {
namespace {

struct SimilarityCommand {
  TextRunOptions run;
  VectorOptions vectors;
};

void describe(OptionSet& set, SimilarityCommand& options) {
  add_text_run(set, options.run);
  add_vector_options(set, options.vectors);
}

// Two arguments without a tab are one pair.
TextInput as_pairs(TextInput input) {
  if (input.texts.size() == 2 && (input.texts[0] + input.texts[1]).find('\t') == std::string::npos) {
    input.texts = {input.texts[0] + "\t" + input.texts[1]};
  }
  return input;
}

void run(const SimilarityCommand& options) {
  const Session session(options.run.model, session_options(options.run));
  warn_unknown_keys(session);
  const SentenceVectors how = sentence_vectors(options.vectors, session.model(), options.run.model);
  TextRunOptions pairs = options.run;
  pairs.texts = as_pairs(std::move(pairs.texts));
  answer_texts("similarity", pairs, session, encode_two_texts(session.tokenizer(), how.max_length),
               [&](const TextBatch& batch, std::string& lines) {
                 const std::vector<PooledText> pooled = embed(session.model(), batch.batch, how.embed);
                 append_lines(session.pool(), batch.items.size(), lines, [&](size_t i, std::string& line) {
                   const double score = cosine(pooled[2 * i].values, pooled[2 * i + 1].values);
                   line = options.run.json ? fmt::format("{{\"similarity\":{}}}", score) : fmt::format("{:.6f}", score);
                 });
               });
}

}  // namespace

Command similarity_command() {
  return {.name = "similarity",
          .summary = "Tell how alike two texts are: the cosine of their vectors",
          .group = "Use",
          .example = "roformer similarity --model model \"A man is eating.\" \"Someone has lunch.\"",
          .prepare = prepare_with(describe, run)};
}

}  // namespace roformer
