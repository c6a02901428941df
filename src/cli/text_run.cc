#include "cli/text_run.h"

#include <unistd.h>

#include <iostream>

#include "base/error.h"
#include "base/progress.h"
#include "base/signal.h"

namespace roformer {

namespace {

// Progress of a command whose results do not go to the terminal that shows it.
class RunProgress {
 public:
  RunProgress(const std::string& command, const TextReader& reader) : reader_(reader) {
    if (isatty(STDOUT_FILENO) == 1 || reader.typed()) return;
    Progress::Options options;
    options.label = command;
    options.unit = "text";
    progress_.emplace(options);
  }

  void update(int64_t done) {
    if (!progress_) return;
    progress_->update(done, {}, reader_.share());
  }

 private:
  const TextReader& reader_;
  std::optional<Progress> progress_;
};

// "FILE:1 to FILE:9".
std::string locations(const TextReader& reader, const TextBatch& batch) {
  const std::string first = reader.location(batch.items.front().number),
                    last = reader.location(batch.items.back().number);
  return first == last ? first : first + " to " + last;
}

// Says of the first text that was cut that it was; true if there was one.
bool report_cut(const TextReader& reader, const TextBatch& batch, const std::string& reason) {
  for (const TextItem& item : batch.items) {
    for (const Encoding& sequence : item.sequences) {
      if (sequence.cut == 0) continue;
      std::cerr << fmt::format(
          "roformer: {}: {} tokens, truncated to {} ({}), as is every longer text; --max-length N sets another limit "
          "(0: "
          "none)\n",
          reader.location(item.number), std::ssize(sequence.ids) + sequence.cut, sequence.ids.size(), reason);
      return true;
    }
  }
  return false;
}

}  // namespace

void add_text_run(OptionSet& set, TextRunOptions& options) {
  add_texts(set, options.texts);
  set.add("--model", options.model, "model directory", "DIR");
  set.require("--model");
  add_json(set, options.json);
  constexpr int64_t kMaxBatchTokens = 1 << 22;
  set.add("--batch-tokens", options.batch_tokens, "batch texts up to this many tokens", {1, kMaxBatchTokens});
  add_tokenizer(set, options.tokenizer);
  add_engine(set, options.engine);
}

void add_max_length(OptionSet& set, std::optional<int64_t>& max_length, std::string_view help) {
  constexpr int64_t kMaxLength = 1 << 30;
  set.add("--max-length", max_length, help, {0, kMaxLength});
}

SessionOptions session_options(const TextRunOptions& options) {
  return {.engine = options.engine, .tokenizer = load_options(options.tokenizer)};
}

void answer_texts(const std::string& command, const TextRunOptions& options, const Session& session,
                  const ItemEncoder& encode, const AnswerBatch& answer, const AnsweringOptions& how) {
  const StopOnSignal stop;
  TextReader reader(options.texts, stop.token());
  TextBatching batching;
  batching.max_tokens = options.batch_tokens;
  batching.limit = length_limit(session.model().config(), session.tokenizer());
  batching.keep_malformed = how.keep_malformed;
  TextStream stream(reader, encode, batching, session.pool());
  RunProgress progress(command, reader);
  if (how.skip > 0) stream.skip(how.skip, how.skipped);
  bool reports_cut = !how.length_reason.empty();
  std::string lines;
  for (TextBatch batch; stream.next(batch);) {
    if (reports_cut) reports_cut = !report_cut(reader, batch, how.length_reason);
    lines.clear();
    try {
      answer(batch, lines);
    } catch (const DataError& error) {
      throw error.prefixed(locations(reader, batch) + ": ");
    }
    // All at once, so that a reader sees whole lines whenever this ends.
    std::cout << lines << std::flush;
    progress.update(batch.items.back().number);
    if (stop.token().stop_requested()) {
      throw Interrupted("interrupted after {}", counted(batch.items.back().number, "text"));
    }
  }
}

void append_lines(ThreadPool& pool, size_t count, std::string& lines,
                  const std::function<void(size_t item, std::string& line)>& write) {
  std::vector<std::string> parts(count);
  pool.run(static_cast<int64_t>(count), [&](int64_t i) {
    write(static_cast<size_t>(i), parts[static_cast<size_t>(i)]);
    parts[static_cast<size_t>(i)] += '\n';
  });
  for (const std::string& part : parts) lines += part;
}

void append_float(std::string& text, float value) { fmt::format_to(std::back_inserter(text), "{}", value); }

}  // namespace roformer
