#include "data/corpus.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "text/token_rows.h"

namespace roformer {

namespace {

[[noreturn]] void fail_without_tokens(const Corpus& corpus) {
  throw DataError("{}: no tokens in a text of {} bytes", FilePath(corpus.name()), corpus.bytes());
}

// The midpoint of part `p` of `parts` equal parts of [0, count).
int64_t middle(int64_t p, int64_t parts, int64_t count) { return (2 * p + 1) * count / (2 * parts); }

}  // namespace

Corpus::Corpus(std::span<const std::string> paths, const CorpusOptions& options, const Tokenizer& tokenizer)
    : text_(std::make_shared<const TextBlocks>(paths, options.rule, options.block_bytes, options.stop_token)),
      options_(options),
      tokenizer_(tokenizer),
      name_(paths.front()),
      held_(static_cast<size_t>(text_->size())) {}

Corpus::Corpus(const Corpus& text, int64_t max_length)
    : text_(text.text_),
      options_(text.options_),
      tokenizer_(text.tokenizer_),
      name_(text.name_),
      held_(static_cast<size_t>(text_->size())) {
  options_.max_length = max_length;
}

std::shared_ptr<const PackedSequences> Corpus::load(int64_t block, ThreadPool& pool,
                                                    const std::stop_token& stop) const {
  auto& held = held_.at(static_cast<size_t>(block));
  {
    const std::lock_guard lock(mutex_);
    if (auto sequences = held.lock()) return sequences;
  }
  auto made = std::make_shared<const PackedSequences>(
      PackedSequences::pack(text_->read(block), tokenizer_, options_.max_length, pool, stop));
  try {
    for (int64_t i = 0; i < made->size(); ++i) check_rows(tokenizer_, made->sequence(i), options_.rows);
  } catch (const DataError& error) {
    throw error.prefixed(fmt::format("{}: ", name_));
  }
  const std::lock_guard lock(mutex_);
  held = made;
  return made;
}

HeldOut hold_out(const Corpus& corpus, double fraction, int64_t max_sequences, int64_t blocks, ThreadPool& pool) {
  if (!(fraction > 0 && fraction < 1)) {
    throw UsageError("{} {} must be between 0 and 1", FieldName("validation_fraction"), fraction);
  }
  const int64_t chosen = std::min(blocks, corpus.blocks());
  HeldOut result = hold_out_nothing(corpus);
  auto& parts = result.blocks;
  int64_t count = 0;
  for (int64_t p = 0; p < chosen; ++p) {
    parts.push_back(corpus.load(middle(p, chosen, corpus.blocks()), pool));
    count += parts.back()->size();
  }
  const bool all = chosen == corpus.blocks();
  if (count == 0 && all) fail_without_tokens(corpus);
  if (count < 2) {
    throw DataError("{}: the text yields only {} sequence(s), too few to hold some out for validation",
                    FilePath(corpus.name()), count);
  }
  const double share = fraction * static_cast<double>(corpus.blocks()) / static_cast<double>(chosen);
  const int64_t wanted =
      std::min(max_sequences, static_cast<int64_t>(std::llround(share * static_cast<double>(count))));
  const int64_t chosen_count = std::clamp<int64_t>(wanted, 1, all ? count - 1 : count / 2);
  int64_t first = 0, next = 0;
  for (int64_t p = 0; p < chosen; ++p) {
    const PackedSequences& part = *parts[static_cast<size_t>(p)];
    auto& indices = result.indices[static_cast<size_t>(middle(p, chosen, corpus.blocks()))];
    for (; next < chosen_count && middle(next, chosen_count, count) < first + part.size(); ++next) {
      indices.push_back(middle(next, chosen_count, count) - first);
      result.sequences.append(part.sequence(indices.back()));
    }
    first += part.size();
  }
  return result;
}

HeldOut hold_out_nothing(const Corpus& corpus) {
  return {{}, std::vector<std::vector<int64_t>>(static_cast<size_t>(corpus.blocks())), {}};
}

PackedSequences load_all(const Corpus& corpus, ThreadPool& pool) {
  PackedSequences result;
  for (int64_t block = 0; block < corpus.blocks(); ++block) {
    const auto part = corpus.load(block, pool);
    for (int64_t i = 0; i < part->size(); ++i) result.append(part->sequence(i));
  }
  if (result.size() == 0) fail_without_tokens(corpus);
  return result;
}

}  // namespace roformer
