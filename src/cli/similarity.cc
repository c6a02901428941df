// roformer similarity: how similar the vectors of pairs of texts are.
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

// Two arguments without a tab are one pair; one or three are an error.
TextInput as_pairs(TextInput input) {
  if (input.texts.size() == 2 && (input.texts[0] + input.texts[1]).find('\t') == std::string::npos) {
    input.texts = {input.texts[0] + "\t" + input.texts[1]};
  }
  const bool reads_lines = input.texts == std::vector<std::string>{"-"};
  for (size_t i = 0; i < input.texts.size() && !reads_lines; ++i) {
    if (input.texts[i].find('\t') != std::string::npos) continue;
    throw DataError("text {}: no tab, expected a pair: two texts as two arguments, or TEXT<tab>TEXT as one", i + 1);
  }
  return input;
}

void run(const SimilarityCommand& options) {
  TextRunOptions pairs = options.run;
  pairs.texts = as_pairs(std::move(pairs.texts));
  const Session session(options.run.model, session_options(options.run));
  print_warnings(session.notes());
  const SentenceVectors how = sentence_vectors(sentence_choice(options.vectors), sentence_modules_of(options.run.model),
                                               session.model(), session.tokenizer());
  answer_texts("similarity", pairs, session, encode_two_texts(session.tokenizer(), how.texts.preparation),
               [&](const TextBatch& batch, std::string& lines) {
                 const std::vector<PooledText> pooled = embed(session.model(), batch.batch, how.embed);
                 append_lines(session.pool(), batch.items.size(), lines, [&](size_t i, std::string& line) {
                   const double score = similarity(how.similarity, pooled[2 * i].values, pooled[2 * i + 1].values);
                   line = options.run.json ? fmt::format("{{\"similarity\":{}}}", score) : fmt::format("{:.6f}", score);
                 });
               },
               {.length_reason = how.texts.length_reason});
}

}  // namespace

Command similarity_command() {
  return {
      .name = "similarity",
      .summary = "Compute the similarity of two texts: the cosine of their vectors, or what the model directory names",
      .group = "Use",
      .example = "roformer similarity --model model \"A man is eating.\" \"Someone has lunch.\"",
      .prepare = prepare_with<SimilarityCommand>(describe, run)};
}

}  // namespace roformer
