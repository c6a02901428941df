// Shared by the commands that run a model on texts one after another: fill-mask, embed, similarity, classify.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "cli/engine.h"
#include "cli/text_input.h"
#include "cli/tokenizer_options.h"
#include "inference/session.h"
#include "inference/text_stream.h"

namespace roformer {

struct TextRunOptions {
  TextInput texts;
  EngineOptions engine;
  std::string model;
  TokenizerOptions tokenizer;
  int64_t batch_tokens = 4096;
  bool json = false;
};

void add_text_run(OptionSet& set, TextRunOptions& options);
// For commands that may truncate texts.
void add_max_length(OptionSet& set, std::optional<int64_t>& max_length,
                    std::string_view help = "truncate texts to this many tokens; 0 = never");

// How its model directory is opened.
SessionOptions session_options(const TextRunOptions& options);

// The output of a batch: whole lines, one for each item.
using AnswerBatch = std::function<void(const TextBatch& batch, std::string& lines)>;

struct AnsweringOptions {
  // Why texts are cut where they are, if the user did not say so: the first text that is cut is then reported.
  std::string length_reason = {};
  // Malformed items are part of batches, with their errors (TextBatching).
  bool keep_malformed = false;
  // The first items are not answered but given to `skipped`.
  int64_t skip = 0;
  std::function<void(const TextItem& item)> skipped = {};
};

// Reads all items and prints the output of `answer`, batch by batch. Items that arrive slowly are answered as they
// arrive. Long work shows its progress on standard error, unless results go to the same terminal. Ctrl-C and SIGTERM
// end it after the current batch: Interrupted. `command` is the heading of the progress.
void answer_texts(const std::string& command, const TextRunOptions& options, const Session& session,
                  const ItemEncoder& encode, const AnswerBatch& answer, const AnsweringOptions& how = {});

// Appends a line for each of `count` items, written by all threads.
void append_lines(ThreadPool& pool, size_t count, std::string& lines,
                  const std::function<void(size_t item, std::string& line)>& write);

// The shortest decimal number that reads as the same float32.
void append_float(std::string& text, float value);

}  // namespace roformer
