// Texts that come one by one, without end if need be, as packed batches: what tasks that compute something for each
// text go through. Order is kept and nothing is sorted by length: a packed batch has no padding, so there is nothing to
// gain. Memory holds one window of text and one batch.
#pragma once

#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <limits>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/parallel.h"
#include "models/config.h"
#include "nn/batch.h"
#include "text/tokenizer.h"

namespace roformer {

// Where items come from, each one line of text.
class TextSource {
 public:
  virtual ~TextSource() = default;
  // The next item; false at the end. Errors name the place.
  virtual bool next(std::string& text) = 0;
  // Whether next() would answer at once. If not, whoever sends the items may wait for results first.
  virtual bool ready() = 0;
  // Item `number`, from 1, to start a message with: "FILE:12"; empty if there is nothing to say.
  virtual std::string place(int64_t number) const = 0;
};

// Texts in memory.
class TextList final : public TextSource {
 public:
  // Points to `texts`, so it cannot be copied.
  explicit TextList(std::span<const std::string> texts) : texts_(texts) {}
  TextList(const TextList&) = delete;
  TextList& operator=(const TextList&) = delete;
  bool next(std::string& text) override;
  bool ready() override { return true; }
  std::string place(int64_t number) const override;  // "text 3", empty for the only one

 private:
  std::span<const std::string> texts_;
  size_t taken_ = 0;
};

// Stands between the two texts of an item from memory: no UTF-8 text has this byte, whereas a tab may be part of one.
inline constexpr char kPairSeparator = '\xff';

// Pairs in memory, as items with kPairSeparator.
class PairList final : public TextSource {
 public:
  // Points to `pairs`, so it cannot be copied.
  explicit PairList(std::span<const std::pair<std::string, std::string>> pairs) : pairs_(pairs) {}
  PairList(const PairList&) = delete;
  PairList& operator=(const PairList&) = delete;
  bool next(std::string& text) override;
  bool ready() override { return true; }
  std::string place(int64_t number) const override;  // "pair 3", empty for the only one

 private:
  std::span<const std::pair<std::string, std::string>> pairs_;
  size_t taken_ = 0;
};

// A sequence of more tokens is an error.
struct LengthLimit {
  int64_t tokens = std::numeric_limits<int64_t>::max();
  std::string_view reason = {};  // "the model's learned positions end there"
};
// What the model, or this machine's memory, takes.
LengthLimit length_limit(const ModelConfig& config);

struct TextBatching {
  int64_t max_length = 0;     // a sequence is cut to so many tokens; 0 = never
  int64_t max_tokens = 4096;  // of a batch, unless its only item has more; what a layer holds of it fits a cache
  LengthLimit limit = {};
  std::stop_token stop_token = {};  // looked at before each batch: then Interrupted
};

// How an item becomes the sequences a model sees, at least one. DataError without a place for an item that is none. Any
// thread may call it.
using ItemEncoder = std::function<std::vector<Encoding>(std::string_view item)>;

// The item is a text. UsageError, here as below, for a max_length that holds no text.
ItemEncoder encode_text(const Tokenizer& tokenizer, int64_t max_length);
// The item is two texts and the separator between them: one sequence of both,
ItemEncoder encode_pair(const Tokenizer& tokenizer, int64_t max_length, char separator = '\t');
// or one of each.
ItemEncoder encode_two_texts(const Tokenizer& tokenizer, int64_t max_length, char separator = '\t');

struct TextItem {
  int64_t number = 0;  // from 1
  std::string text;
  std::vector<Encoding> sequences;
};

struct TextBatch {
  std::vector<TextItem> items;
  Batch batch;  // their sequences, item after item
};

class TextStream {
 public:
  // Points to `source` and `pool`, so it cannot be copied. UsageError for limits that hold no text.
  TextStream(TextSource& source, ItemEncoder encode, const TextBatching& batching, ThreadPool& pool);
  TextStream(const TextStream&) = delete;
  TextStream& operator=(const TextStream&) = delete;

  // The next items, in order: as many as fit, or those that are there if more would have to be waited for. False at the
  // end. An item that cannot be used is a DataError with its place once all before it have been given out.
  bool next(TextBatch& batch);

 private:
  void read_window();
  void encode_window(std::vector<TextItem> window);

  TextSource& source_;
  ItemEncoder encode_;
  TextBatching batching_;
  ThreadPool& pool_;
  std::deque<TextItem> waiting_;  // encoded
  std::exception_ptr error_;      // of the item after those waiting
  int64_t read_ = 0;
  bool ended_ = false;
};

// body(first, batch) for consecutive runs of texts: sequence i of the batch is texts[first + i], [CLS] and [SEP]
// included. An error of one of several texts starts with "text N: ", N counted from 1.
void for_text_batches(const Tokenizer& tokenizer, std::span<const std::string> texts, const TextBatching& batching,
                      ThreadPool& pool, const std::function<void(size_t first, const Batch& batch)>& body);

}  // namespace roformer
