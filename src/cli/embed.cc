// roformer embed: texts to vectors.
#include "inference/embed.h"

#include <algorithm>
#include <iostream>
#include <nlohmann/json.hpp>

#include "base/clock.h"
#include "base/error.h"
#include "base/json.h"
#include "base/progress.h"
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
  add_vector_options(set, options.vectors, true);
  set.add("--output", options.output,
          "write one tensor [texts, hidden size] to this .npy or .safetensors file instead; not with --pooling none",
          "FILE");
}

void append_numbers(std::span<const float> values, char between, std::string& line) {
  constexpr size_t kDigits = 13;
  line.reserve(line.size() + values.size() * kDigits + 40);
  for (size_t i = 0; i < values.size(); ++i) {
    if (i > 0) line += between;
    append_float(line, values[i]);
  }
}

// {"embedding":[…],"tokens":n}, or only the values.
void write_vector(const PooledText& pooled, bool json, std::string& line) {
  if (!json) return append_numbers(pooled.values, ' ', line);
  line += "{\"embedding\":[";
  append_numbers(pooled.values, ',', line);
  line += fmt::format("],\"tokens\":{}}}", pooled.tokens);
}

// {"tokens":[…],"vectors":[[…],…]}, or one line per token, its values after a tab, and an empty line.
void write_token_vectors(const TokenVectors& vectors, const std::vector<std::string>& tokens, bool json,
                         std::string& line) {
  const size_t width = vectors.values.size() / std::max<size_t>(1, tokens.size());
  if (json) line += fmt::format("{{\"tokens\":{},\"vectors\":[", dump_json(Json(tokens)));
  for (size_t t = 0; t < tokens.size(); ++t) {
    if (json) {
      line += t > 0 ? ",[" : "[";
    } else {
      line += tokens[t] + "\t";
    }
    append_numbers(std::span(vectors.values).subspan(t * width, width), json ? ',' : ' ', line);
    line += json ? ']' : '\n';
  }
  if (json) line += "]}";
}

void run_tokens(const EmbedCommand& options, const Session& session) {
  const Tokenizer& tokenizer = session.tokenizer();
  const int64_t max_length = token_vectors_max_length(options.vectors, options.run.model);
  const bool normalize = options.vectors.normalize.value_or(false);
  answer_texts("embed", options.run, session, encode_text(tokenizer, max_length),
               [&](const TextBatch& batch, std::string& lines) {
                 const auto vectors = embed_tokens(session.model(), batch.batch, normalize);
                 append_lines(session.pool(), vectors.size(), lines, [&](size_t i, std::string& line) {
                   std::vector<std::string> tokens;
                   for (const int32_t id : batch.items[i].sequences[0].ids) tokens.push_back(tokenizer.token(id));
                   write_token_vectors(vectors[i], tokens, options.run.json, line);
                 });
               });
}

// "wrote 100 vectors of 384 dimensions to vectors.npy in 2.5 s (40 texts/s)".
void print_written(const EmbedCommand& options, const VectorFile& file, int64_t dimensions, double seconds) {
  constexpr double kMinute = 60;
  std::cerr << fmt::format("roformer: wrote {} of {} dimensions to {} in {} ({} texts/s)\n",
                           counted(file.count(), "vector"), dimensions, options.output,
                           seconds < kMinute ? fmt::format("{:.1f} s", seconds) : format_duration(seconds),
                           format_count(static_cast<double>(file.count()) / seconds));
}

void run(const EmbedCommand& options) {
  const bool tokens = options.vectors.pooling == kTokenVectors;
  if (tokens && !options.output.empty()) {
    throw UsageError("--output {}: a file has one vector per text; with --pooling none use --json instead",
                     options.output);
  }
  const Session session(options.run.model, session_options(options.run));
  print_warnings(session.notes());
  if (tokens) return run_tokens(options, session);
  const SentenceVectors how = sentence_vectors(options.vectors, session.model(), options.run.model);
  const int64_t dimensions = session.model().config().hidden;
  const double begin = now_seconds();
  std::optional<VectorFile> file;
  if (!options.output.empty()) file.emplace(options.output, dimensions);
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
  if (!file) return;
  file->commit();
  print_written(options, *file, dimensions, now_seconds() - begin);
}

}  // namespace

Command embed_command() {
  return {.name = "embed",
          .summary = "Turn texts into vectors",
          .group = "Use",
          .example = "roformer embed --model model --normalize --json \"In the beginning\"",
          .prepare = prepare_with<EmbedCommand>(describe, run)};
}

}  // namespace roformer
