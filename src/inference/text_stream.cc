#include "inference/text_stream.h"

#include <unistd.h>

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/stop.h"
#include "text/token_rows.h"

namespace roformer {

namespace {

// Text tokenized at once: enough for all threads, with low latency.
constexpr size_t kWindowBytes = size_t{1} << 17;
constexpr size_t kWindowItems = 1024;

int64_t tokens_of(const TextItem& item) {
  int64_t tokens = 0;
  for (const Encoding& sequence : item.sequences) tokens += std::ssize(sequence.ids);
  return tokens;
}

// The two texts of a pair.
std::pair<std::string_view, std::string_view> split_pair(std::string_view item, char separator) {
  const size_t middle = item.find(separator);
  if (middle == std::string_view::npos) throw DataError("expected a tab between the two texts of a pair");
  if (separator == '\t' && item.find(separator, middle + 1) != std::string_view::npos)
    throw DataError("more than one tab, expected a pair of texts");
  return {item.substr(0, middle), item.substr(middle + 1)};
}

}  // namespace

LengthLimit length_limit(const ModelConfig& config) {
  const double memory = static_cast<double>(sysconf(_SC_PHYS_PAGES)) * static_cast<double>(sysconf(_SC_PAGESIZE));
  // A layer's activations per token: input, q, k, v, attention output, and the feed-forward network's hidden layer.
  const auto floats = static_cast<double>(6 * config.hidden + config.intermediate);
  LengthLimit limit{std::max<int64_t>(1, static_cast<int64_t>(memory / (floats * sizeof(float)))),
                    "longer sequences exceed this machine's memory"};
  const bool learned = std::holds_alternative<LearnedPosition>(config.position);
  if (!learned || config.max_positions > limit.tokens) return limit;
  limit.tokens = config.max_positions;
  limit.reason = "the model's learned positions end there";
  return limit;
}

LengthLimit length_limit(const ModelConfig& config, const Tokenizer& tokenizer) {
  LengthLimit limit = length_limit(config);
  limit.rows = config.vocabulary;
  limit.tokenizer = &tokenizer;
  return limit;
}

bool TextList::next(std::string& text) {
  if (next_ == texts_.size()) return false;
  text = texts_[next_++];
  return true;
}

std::string TextList::location(int64_t number) const {
  return texts_.size() > 1 ? fmt::format("text {}", number) : std::string();
}

std::string_view second_text(std::string_view item) {
  const size_t separator = item.find(kPairSeparator);
  return item.substr((separator == item.npos ? item.find('\t') : separator) + 1);
}

bool PairList::next(std::string& text) {
  if (read_ == pairs_.size()) return false;
  const auto& [first, second] = pairs_[read_++];
  text = first;
  text += kPairSeparator;
  text += second;
  return true;
}

std::string PairList::location(int64_t number) const {
  return pairs_.size() > 1 ? fmt::format("pair {}", number) : std::string();
}

ItemEncoder encode_text(const Tokenizer& tokenizer, int64_t max_length) {
  tokenizer.encode("", std::nullopt, max_length);
  return [&tokenizer, max_length](std::string_view item) {
    return std::vector{tokenizer.encode(item, std::nullopt, max_length)};
  };
}

ItemEncoder encode_pair(const Tokenizer& tokenizer, int64_t max_length, char separator) {
  tokenizer.encode("", "", max_length);
  return [&tokenizer, max_length, separator](std::string_view item) {
    const auto [first, second] = split_pair(item, separator);
    return std::vector{tokenizer.encode(first, second, max_length)};
  };
}

ItemEncoder encode_two_texts(const Tokenizer& tokenizer, int64_t max_length, char separator) {
  tokenizer.encode("", std::nullopt, max_length);
  return [&tokenizer, max_length, separator](std::string_view item) {
    const auto [first, second] = split_pair(item, separator);
    return std::vector{tokenizer.encode(first, std::nullopt, max_length),
                       tokenizer.encode(second, std::nullopt, max_length)};
  };
}

TextStream::TextStream(TextSource& source, ItemEncoder encode, const TextBatching& batching, ThreadPool& pool)
    : source_(source), encode_(std::move(encode)), batching_(batching), pool_(pool) {
  if (batching.max_tokens < 1) throw UsageError("a batch of {} tokens is too small for any text", batching.max_tokens);
}

void TextStream::read_window() {
  std::vector<TextItem> window;
  size_t bytes = 0;
  try {
    // Reading the first item may block.
    while (bytes < kWindowBytes && window.size() < kWindowItems && (window.empty() || source_.ready())) {
      TextItem item;
      if (!source_.next(item.text)) {
        ended_ = true;
        break;
      }
      item.number = ++read_;
      bytes += item.text.size();
      window.push_back(std::move(item));
    }
  } catch (...) {
    error_ = std::current_exception();
  }
  encode_window(std::move(window));
}

void TextStream::encode_window(std::vector<TextItem> window) {
  std::vector<std::exception_ptr> errors(window.size());
  pool_.run(std::ssize(window), [&](int64_t i) {
    TextItem& item = window[static_cast<size_t>(i)];
    try {
      item.sequences = encode_(item.text);
      for (const Encoding& sequence : item.sequences) {
        if (std::ssize(sequence.ids) > batching_.limit.tokens) {
          throw DataError("{} tokens, expected at most {}: {}; {} truncates", sequence.ids.size(),
                          batching_.limit.tokens, batching_.limit.reason, FieldName("max_length"));
        }
        if (batching_.limit.tokenizer != nullptr) {
          check_rows(*batching_.limit.tokenizer, sequence.ids, batching_.limit.rows);
        }
      }
    } catch (const DataError& error) {
      const std::string location = source_.location(item.number);
      errors[static_cast<size_t>(i)] = std::make_exception_ptr(error.prefixed(location.empty() ? "" : location + ": "));
    } catch (...) {
      errors[static_cast<size_t>(i)] = std::current_exception();
    }
  });
  for (size_t i = 0; i < window.size(); ++i) {
    if (errors[i]) {
      error_ = errors[i];
      return;
    }
    waiting_.push_back(std::move(window[i]));
  }
}

bool TextStream::next(TextBatch& batch) {
  throw_if_stopped(batching_.stop_token);
  batch.items.clear();
  batch.batch = Batch();
  while (true) {
    while (!waiting_.empty()) {
      TextItem& item = waiting_.front();
      if (!batch.items.empty() && batch.batch.tokens() + tokens_of(item) > batching_.max_tokens) return true;
      for (const Encoding& sequence : item.sequences) batch.batch.append(sequence.ids, sequence.segment_ids);
      batch.items.push_back(std::move(item));
      waiting_.pop_front();
    }
    const bool over = error_ != nullptr || ended_;
    if (!batch.items.empty() && (over || batch.batch.tokens() >= batching_.max_tokens || !source_.ready())) return true;
    if (error_) std::rethrow_exception(error_);
    if (ended_) return false;
    read_window();
  }
}

void for_text_batches(const Tokenizer& tokenizer, Texts texts, const TextBatching& batching, ThreadPool& pool,
                      const std::function<void(size_t first, const Batch& batch)>& body) {
  TextList source(texts);
  TextStream stream(source, encode_text(tokenizer, batching.max_length), batching, pool);
  for (TextBatch batch; stream.next(batch);) body(static_cast<size_t>(batch.items[0].number - 1), batch.batch);
}

}  // namespace roformer
