// roformer embed: texts to vectors.
#include "inference/embed.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <iostream>
#include <limits>
#include <nlohmann/json.hpp>

#include "base/clock.h"
#include "base/error.h"
#include "base/json.h"
#include "base/progress.h"
#include "cli/embedding_file.h"
#include "cli/malformed_texts.h"
#include "cli/registry.h"
#include "cli/sentence_vectors.h"
#include "formats/directory_weights.h"

namespace roformer {
namespace {

struct EmbedCommand {
  TextRunOptions run;
  VectorOptions vectors;
  std::string output, on_error = "stop";

  OnError error_handling() const {
    return static_cast<OnError>(std::ranges::find(on_error_names(), on_error) - on_error_names().begin());
  }
};

void describe(OptionSet& set, EmbedCommand& options) {
  add_text_run(set, options.run);
  add_vector_options(set, options.vectors, true);
  set.add(
      "--output", options.output,
      "write one tensor [texts, width] to this .npy or .safetensors file instead; the same command continues one that "
      "was interrupted; not with --pooling none",
      "FILE");
  set.add_choice(
      "--on-error", options.on_error, on_error_names(),
      "a text that is not UTF-8, too long, or has no finite vector: stop = end there, keeping what was done; "
      "skip = leave it out; empty = a vector of NaN (JSON: null; with --pooling none an empty line). Both name such "
      "texts "
      "on standard error");
}

void append_numbers(std::span<const float> values, char between, std::string& line) {
  constexpr size_t kDigits = 13;
  line.reserve(line.size() + values.size() * kDigits + 40);
  for (size_t i = 0; i < values.size(); ++i) {
    if (i > 0) line += between;
    append_float(line, values[i]);
  }
}

// {"tokens":null,"error":"FILE:3: …"}, or an empty line, as after each text.
void write_no_tokens(const std::string& error, bool json, std::string& line) {
  if (json) line = fmt::format("{{\"tokens\":null,\"error\":{}}}", dump_json(error));
}

// {"embedding":null,"error":"FILE:3: …"}, or NaN for each value.
void write_no_vector(const std::string& error, int64_t width, bool json, std::string& line) {
  if (json) {
    line = fmt::format("{{\"embedding\":null,\"error\":{}}}", dump_json(error));
  } else {
    append_numbers(std::vector<float>(static_cast<size_t>(width), std::numeric_limits<float>::quiet_NaN()), ' ', line);
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
  const SentenceTexts how = sentence_texts(sentence_choice(options.vectors), sentence_modules_of(options.run.model),
                                           session.model().config(), tokenizer);
  const bool normalize = options.vectors.normalize.value_or(false);
  MalformedTexts malformed(options.error_handling());
  int64_t texts = 0;
  const auto answer = [&](const TextBatch& batch, std::string& lines) {
    texts = batch.items.back().number;
    std::vector<TokenVectors> vectors;
    if (batch.batch.sequences() > 0) vectors = embed_tokens(session.model(), batch.batch, normalize);
    std::vector<std::pair<const TextItem*, const TokenVectors*>> shown;  // null: malformed
    size_t next = 0;
    for (const TextItem& item : batch.items) {
      const TokenVectors* found = item.error.empty() ? &vectors[next++] : nullptr;
      if (found == nullptr) malformed.add(item.number, item.error);
      if (found != nullptr || malformed.how() != OnError::skip) shown.emplace_back(&item, found);
    }
    append_lines(session.pool(), shown.size(), lines, [&](size_t i, std::string& line) {
      const auto& [item, found] = shown[i];
      if (found == nullptr) return write_no_tokens(item->error, options.run.json, line);
      std::vector<std::string> tokens;
      for (const int32_t id : item->sequences[0].ids) tokens.push_back(tokenizer.token(id));
      write_token_vectors(*found, tokens, options.run.json, line);
    });
  };
  answer_texts("embed", options.run, session, encode_text(tokenizer, how.preparation), answer,
               {.length_reason = how.length_reason, .keep_malformed = malformed.kept()});
  malformed.report(texts);
}

// What the vectors of a file depend on.
VectorFile::Settings file_settings(const EmbedCommand& options, const SentenceVectors& how) {
  const std::string weights = WeightFiles(options.run.model).source();
  std::error_code ignored;
  const auto modified =
      std::chrono::file_clock::to_sys(std::filesystem::last_write_time(weights, ignored)).time_since_epoch().count();
  const VectorOptions& vectors = options.vectors;
  return {{"model", options.run.model},
          {"weights", fmt::format("{}, modified at {}", weights, modified)},
          {"pooling", vectors.pooling},
          {"normalize", vectors.normalize ? (*vectors.normalize ? "true" : "false") : "auto"},
          {"max_length", std::to_string(how.texts.preparation.max_length)},
          {"prompt", how.texts.preparation.prompt},
          {"device", options.run.engine.device},
          {"dtype", options.run.engine.dtype},
          {"batch_tokens", std::to_string(options.run.batch_tokens)},
          {"tokenizer_mode", options.run.tokenizer.mode},
          {"jieba_dictionary", options.run.tokenizer.dictionary}};
}

// The vectors of the texts of a batch, in order; null for the malformed ones, which are counted, with the reason.
struct BatchVectors {
  std::vector<PooledText> pooled;
  std::vector<const PooledText*> of_item;
  std::vector<std::string> errors;  // of each item
};

BatchVectors vectors_of(const Session& session, const TextBatch& batch, const EmbedOptions& how,
                        MalformedTexts& malformed) {
  BatchVectors result;
  if (batch.batch.sequences() > 0) result.pooled = embed(session.model(), batch.batch, how);
  size_t next = 0;
  for (const TextItem& item : batch.items) {
    const PooledText* pooled = item.error.empty() ? &result.pooled[next++] : nullptr;
    std::string error = item.error;
    if (pooled != nullptr && !is_finite(pooled->values)) {
      pooled = nullptr;
      error = fmt::format("text {}: its vector is not finite", item.number);
    }
    if (pooled == nullptr) malformed.add(item.number, error);
    result.of_item.push_back(pooled);
    result.errors.push_back(std::move(error));
  }
  return result;
}

// "wrote 100 vectors of 384 dimensions to vectors.npy in 2.5 s (40 texts/s)".
void print_written(const EmbedCommand& options, const EmbeddingFile& file, int64_t width, double seconds) {
  constexpr double kMinute = 60;
  std::cerr << fmt::format("roformer: wrote {} of {} dimensions to {} in {} ({} texts/s)\n",
                           counted(file.count(), "vector"), width, options.output,
                           seconds < kMinute ? fmt::format("{:.1f} s", seconds) : format_duration(seconds),
                           format_count(static_cast<double>(file.count() - file.continued()) / seconds));
}

void run_vectors(const EmbedCommand& options, const Session& session) {
  SentenceVectors how = sentence_vectors(sentence_choice(options.vectors), sentence_modules_of(options.run.model),
                                         session.model(), session.tokenizer());
  MalformedTexts malformed(options.error_handling());
  how.embed.check = !malformed.kept();
  const double begin = now_seconds();
  std::optional<EmbeddingFile> file;
  if (!options.output.empty()) file.emplace(options.output, how.width, file_settings(options, how), malformed);
  const std::vector<float> nothing(static_cast<size_t>(how.width), std::numeric_limits<float>::quiet_NaN());
  const bool skips = malformed.how() == OnError::skip;
  int64_t texts = file ? file->skip() : 0;

  const auto answer = [&](const TextBatch& batch, std::string& lines) {
    texts = batch.items.back().number;
    if (file) file->begin(batch);
    const BatchVectors vectors = vectors_of(session, batch, how.embed, malformed);
    std::vector<size_t> shown;
    for (size_t i = 0; i < batch.items.size(); ++i) {
      if (vectors.of_item[i] != nullptr || !skips) shown.push_back(i);
    }
    if (file) {
      for (const size_t i : shown) {
        file->append(vectors.of_item[i] == nullptr ? std::span<const float>(nothing) : vectors.of_item[i]->values);
      }
      return;
    }
    append_lines(session.pool(), shown.size(), lines, [&](size_t i, std::string& line) {
      const PooledText* pooled = vectors.of_item[shown[i]];
      if (pooled == nullptr) return write_no_vector(vectors.errors[shown[i]], how.width, options.run.json, line);
      write_vector(*pooled, options.run.json, line);
    });
  };
  AnsweringOptions answering{.length_reason = how.texts.length_reason, .keep_malformed = malformed.kept()};
  if (file) {
    answering.skip = file->skip();
    answering.skipped = [&](const TextItem& item) { file->skipped(item); };
  }
  try {
    answer_texts("embed", options.run, session, encode_text(session.tokenizer(), how.texts.preparation), answer,
                 answering);
  } catch (...) {
    if (file) file->stop();
    throw;
  }
  malformed.report(texts);
  if (!file) return;
  file->finish();
  print_written(options, *file, how.width, now_seconds() - begin);
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
  run_vectors(options, session);
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
