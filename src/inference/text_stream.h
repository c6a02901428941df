// Streams of texts as packed batches, for computations per text. The order is preserved; sorting by length would gain
// nothing, as packed batches have no padding. Memory holds one window of text and one batch.
#pragma once

#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <limits>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/parallel.h"
#include "base/texts.h"
#include "models/config.h"
#include "nn/batch.h"
#include "text/tokenizer.h"

namespace roformer {

// A source of items, each one line of text.
class TextSource {
 public:
  virtual ~TextSource() = default;
  // The next item; false at the end. Errors name its location; after a DataError the next call goes on behind the item.
  virtual bool next(std::string& text) = 0;
  // Whether next() would not block. If it would, pending items are processed first, as an interactive sender may wait
  // for results.
  virtual bool ready() = 0;
  // The location of item `number`, from 1, to start messages with: "FILE:12"; may be empty.
  virtual std::string location(int64_t number) const = 0;
};

// Texts in memory.
class TextList final : public TextSource {
 public:
  // What `texts` views must outlive it.
  explicit TextList(Texts texts) : texts_(texts) {}
  TextList(const TextList&) = delete;
  TextList& operator=(const TextList&) = delete;
  bool next(std::string& text) override;
  bool ready() override { return true; }
  std::string location(int64_t number) const override;  // "text 3", empty for the only one

 private:
  Texts texts_;
  size_t next_ = 0;
};

// Stands between the two texts of an item from memory: no UTF-8 text has this byte, whereas a tab may be part of one.
inline constexpr char kPairSeparator = '\xff';
// The second text of a pair, from a file or from memory.
std::string_view second_text(std::string_view item);

// Pairs in memory, as items with kPairSeparator.
class PairList final : public TextSource {
 public:
  // What `pairs` views must outlive it.
  explicit PairList(TextPairs pairs) : pairs_(pairs) {}
  PairList(const PairList&) = delete;
  PairList& operator=(const PairList&) = delete;
  bool next(std::string& text) override;
  bool ready() override { return true; }
  std::string location(int64_t number) const override;  // "pair 3", empty for the only one

 private:
  TextPairs pairs_;
  size_t read_ = 0;
};

// What a model takes; longer sequences, and tokens that it has no rows for, are errors.
struct LengthLimit {
  int64_t tokens = std::numeric_limits<int64_t>::max();
  std::string_view reason = {};  // "the model's learned positions end there"
  int64_t rows = std::numeric_limits<int64_t>::max();
  const Tokenizer* tokenizer = nullptr;  // names the tokens; with `rows`
};
// The limits by the model's positions and the machine's memory; with a tokenizer, which must outlive the result, also
// by the model's vocabulary.
LengthLimit length_limit(const ModelConfig& config);
LengthLimit length_limit(const ModelConfig& config, const Tokenizer& tokenizer);

// What is done to a text before and while it is tokenized.
struct TextPreparation {
  int64_t max_length = 0;   // truncate sequences to this many tokens; 0 = no truncation
  std::string prompt = {};  // stands before the text (of a pair, before the first)
  bool lower_case = false;  // all but special tokens, as the tokenizers library's Lowercase does
};

struct TextBatching {
  int64_t max_length = 0;     // truncate sequences to this many tokens; 0 = no truncation
  int64_t max_tokens = 4096;  // per batch, unless its only item has more; sized for the CPU cache
  LengthLimit limit = {};
  std::stop_token stop_token = {};  // polled before each batch: throws Interrupted
  // A malformed item is part of a batch, with its error, instead of ending the stream.
  bool keep_malformed = false;
  // Of TextPreparation.
  std::string prompt = {};
  bool lower_case = false;

  TextPreparation preparation() const { return {max_length, prompt, lower_case}; }
};

// Encodes an item as one or more model inputs. DataError, without location, for a malformed item. Thread-safe.
using ItemEncoder = std::function<std::vector<Encoding>(std::string_view item)>;

// Encodes a text. UsageError, as below, for a max_length too small for any text.
ItemEncoder encode_text(const Tokenizer& tokenizer, const TextPreparation& preparation);
// Encodes two texts with a separator between them as one sequence,
ItemEncoder encode_pair(const Tokenizer& tokenizer, const TextPreparation& preparation, char separator = '\t');
// or as two, each with the prompt.
ItemEncoder encode_two_texts(const Tokenizer& tokenizer, const TextPreparation& preparation, char separator = '\t');

struct TextItem {
  int64_t number = 0;  // from 1
  std::string text;
  std::vector<Encoding> sequences;  // none if it is malformed
  std::string error = {};           // why it is malformed, with its location; empty if it is not

  int64_t cut() const;  // tokens that its sequences lost to max_length
};

struct TextBatch {
  std::vector<TextItem> items;
  Batch batch;  // sequences of all items, in order
};

class TextStream {
 public:
  // `source` and `pool` must outlive it. UsageError for limits too small for any text.
  TextStream(TextSource& source, ItemEncoder encode, const TextBatching& batching, ThreadPool& pool);
  TextStream(const TextStream&) = delete;
  TextStream& operator=(const TextStream&) = delete;

  // The next items, as many as fit or are available without blocking (at least one). False at the end. DataError with
  // its location for a malformed item, after all items before it have been returned.
  bool next(TextBatch& batch);

  // Before the first next(): reads `count` items, fewer if there are no more, and gives them to `body`, not encoded.
  void skip(int64_t count, const std::function<void(const TextItem& item)>& body);

 private:
  bool read_item(TextItem& item);
  void read_window();
  void encode_window(std::vector<TextItem> window);

  TextSource& source_;
  ItemEncoder encode_;
  TextBatching batching_;
  ThreadPool& pool_;
  std::deque<TextItem> waiting_;  // encoded
  std::exception_ptr error_;      // of the item after `waiting_`
  int64_t read_ = 0;
  bool ended_ = false;
};

// What `compute` gives for the items of each batch of `source`, one behind the other. Errors are those of a stream.
template <class Compute>
auto compute_batches(TextSource& source, ItemEncoder encode, const TextBatching& batching, ThreadPool& pool,
                     const Compute& compute) {
  TextStream stream(source, std::move(encode), batching, pool);
  decltype(compute(std::declval<const TextBatch&>())) result;
  for (TextBatch batch; stream.next(batch);) {
    for (auto& one : compute(batch)) result.push_back(std::move(one));
  }
  return result;
}

// Calls body(first, batch) for consecutive batches: sequence i of a batch is texts[first + i], [CLS] and [SEP]
// included. With several texts, an error of one starts with "text N: ", N counted from 1.
void for_text_batches(const Tokenizer& tokenizer, Texts texts, const TextBatching& batching, ThreadPool& pool,
                      const std::function<void(size_t first, const Batch& batch)>& body);

}  // namespace roformer
