#include "inference/text_stream.h"

#include <unistd.h>

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/stop.h"
#include "base/utf8.h"
#include "text/bert_unicode.h"
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

// The special tokens that lower case would change: they are matched in the text as it is.
std::vector<std::string> cased_specials(const Tokenizer& tokenizer) {
  std::vector<std::string> specials;
  const auto add = [&](const std::string& token) {
    if (std::ranges::any_of(token, [](char c) { return (c >= 'A' && c <= 'Z') || static_cast<signed char>(c) < 0; })) {
      specials.push_back(token);
    }
  };
  for (const std::string& token : tokenizer.special_tokens().all()) add(token);
  for (const AddedToken& token : tokenizer.added_tokens()) {
    if (!token.normalized) add(token.content);
  }
  std::ranges::stable_sort(specials, std::ranges::greater(), &std::string::size);
  return specials;
}

// `text` must be valid UTF-8.
std::string lower_cased(std::string_view text, const std::vector<std::string>& specials) {
  std::string result;
  for (size_t i = 0; i < text.size();) {
    const auto special =
        std::ranges::find_if(specials, [&](const std::string& token) { return text.substr(i).starts_with(token); });
    if (special != specials.end()) {
      result += *special;
      i += special->size();
      continue;
    }
    const CodePoint c = decode_utf8(text.data() + i);
    char32_t lower[2];
    const int count = bert::to_lower(c.value, lower);
    for (int j = 0; j < count; ++j) append_utf8(result, lower[j]);
    i += static_cast<size_t>(c.length);
  }
  return result;
}

// Applies a TextPreparation and encodes.
class PreparedEncoder {
 public:
  PreparedEncoder(const Tokenizer& tokenizer, const TextPreparation& preparation, bool pair)
      : tokenizer_(tokenizer), preparation_(preparation) {
    if (preparation.lower_case) specials_ = cased_specials(tokenizer);
    (*this)("", pair ? std::optional<std::string_view>("") : std::nullopt);  // throws for what no text fits
  }
  Encoding operator()(std::string_view text, std::optional<std::string_view> pair = std::nullopt) const {
    const bool lower = preparation_.lower_case;
    if (preparation_.prompt.empty() && !lower) return tokenizer_.encode(text, pair, preparation_.max_length);
    std::string first = preparation_.prompt, second(pair.value_or(""));
    first += text;
    require_utf8(first, "text");
    if (lower) first = lower_cased(first, specials_);
    if (pair && lower) {
      require_utf8(second, "second text");
      second = lower_cased(second, specials_);
    }
    return tokenizer_.encode(first, pair ? std::optional<std::string_view>(second) : std::nullopt,
                             preparation_.max_length);
  }

 private:
  const Tokenizer& tokenizer_;
  TextPreparation preparation_;
  std::vector<std::string> specials_;
};

// The two texts of a pair.
std::pair<std::string_view, std::string_view> split_pair(std::string_view item, char separator) {
  const size_t middle = item.find(separator);
  if (middle == std::string_view::npos) throw DataError("expected a tab between the two texts of a pair");
  if (separator == '\t' && item.find(separator, middle + 1) != std::string_view::npos)
    throw DataError("more than one tab, expected a pair of texts");
  return {item.substr(0, middle), item.substr(middle + 1)};
}

}  // namespace

LengthLimit length_limit(const ModelConfig& model) {
  const ModelConfig& config = model.reader();
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
  limit.rows = config.reader().vocabulary;
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

ItemEncoder encode_text(const Tokenizer& tokenizer, const TextPreparation& preparation) {
  return [encode = PreparedEncoder(tokenizer, preparation, false)](std::string_view item) {
    return std::vector{encode(item)};
  };
}

ItemEncoder encode_pair(const Tokenizer& tokenizer, const TextPreparation& preparation, char separator) {
  return [encode = PreparedEncoder(tokenizer, preparation, true), separator](std::string_view item) {
    const auto [first, second] = split_pair(item, separator);
    return std::vector{encode(first, second)};
  };
}

ItemEncoder encode_two_texts(const Tokenizer& tokenizer, const TextPreparation& preparation, char separator) {
  return [encode = PreparedEncoder(tokenizer, preparation, false), separator](std::string_view item) {
    const auto [first, second] = split_pair(item, separator);
    return std::vector{encode(first), encode(second)};
  };
}

int64_t TextItem::cut() const {
  int64_t tokens = 0;
  for (const Encoding& sequence : sequences) tokens += sequence.cut;
  return tokens;
}

TextStream::TextStream(TextSource& source, ItemEncoder encode, const TextBatching& batching, ThreadPool& pool)
    : source_(source), encode_(std::move(encode)), batching_(batching), pool_(pool) {
  if (batching.max_tokens < 1) {
    throw UsageError("{} is {}, too small for any text", FieldName("max_batch_tokens"), batching.max_tokens);
  }
}

// The next item, as text; false at the end. Numbers it, and notes that it is malformed where that is to be kept.
bool TextStream::read_item(TextItem& item) {
  item.number = read_ + 1;
  try {
    if (!source_.next(item.text)) return false;
  } catch (const DataError& error) {
    const bool of_whole_file = !error.detail().path.empty() && error.detail().line == 0;
    if (!batching_.keep_malformed || of_whole_file) throw;
    item.text.clear();
    item.error = error.what();
  }
  ++read_;
  return true;
}

void TextStream::skip(int64_t count, const std::function<void(const TextItem& item)>& body) {
  for (TextItem item; read_ < count && read_item(item); item = {}) {
    body(item);
    throw_if_stopped(batching_.stop_token);
  }
}

void TextStream::read_window() {
  std::vector<TextItem> window;
  size_t bytes = 0;
  try {
    // Reading the first item may block.
    while (bytes < kWindowBytes && window.size() < kWindowItems && (window.empty() || source_.ready())) {
      TextItem item;
      if (!read_item(item)) {
        ended_ = true;
        break;
      }
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
    if (!item.error.empty()) return;
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
      const DataError located = error.prefixed(location.empty() ? "" : location + ": ");
      if (batching_.keep_malformed) {
        item.sequences.clear();
        item.error = located.what();
      } else {
        errors[static_cast<size_t>(i)] = std::make_exception_ptr(located);
      }
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
  TextStream stream(source, encode_text(tokenizer, batching.preparation()), batching, pool);
  for (TextBatch batch; stream.next(batch);) body(static_cast<size_t>(batch.items[0].number - 1), batch.batch);
}

}  // namespace roformer
