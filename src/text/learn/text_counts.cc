#include "text/learn/text_counts.h"

#include <functional>
#include <vector>

#include "text/document_tag.h"
#include "text/jieba/jieba_text.h"
#include "text/pipeline/byte_letters.h"
#include "text/pipeline/byte_words.h"
#include "text/sentencepiece/model.h"
#include "text/text_file.h"

namespace roformer {

namespace {

constexpr size_t kBlockBytes = size_t{1} << 20;
constexpr size_t kBlocks = 32;  // in memory at once

// Counts blocks of whole lines in parallel, each into a map of its own, and gives each map to `merge`, in order.
template <class Counts>
void merge_blocks(std::span<const std::string> paths, ThreadPool& pool,
                  const std::function<void(std::string_view, Counts&)>& count,
                  const std::function<void(const Counts&)>& merge) {
  std::vector<std::string> blocks(1);
  const auto finish = [&] {
    std::vector<Counts> parts(blocks.size());
    pool.run(static_cast<int64_t>(blocks.size()),
             [&](int64_t i) { count(blocks[static_cast<size_t>(i)], parts[static_cast<size_t>(i)]); });
    for (const auto& part : parts) merge(part);
    blocks.assign(1, {});
  };
  for (const auto& path : expand_directories(paths)) {
    TextFile file(path);
    for (std::string_view line; file.next_line(line);) {
      if (document_tag(line) != DocumentTag::none) continue;
      blocks.back().append(line).push_back('\n');
      if (blocks.back().size() < kBlockBytes) continue;
      if (blocks.size() == kBlocks) {
        finish();
      } else {
        blocks.emplace_back();
      }
    }
  }
  finish();
}

// The sums of all blocks.
template <class Counts>
Counts count_blocks(std::span<const std::string> paths, ThreadPool& pool,
                    const std::function<void(std::string_view, Counts&)>& count) {
  Counts total;
  merge_blocks<Counts>(paths, pool, count, [&total](const Counts& part) {
    for (const auto& [key, value] : part) total[key] += value;
  });
  return total;
}

}  // namespace

namespace {

void add_one(WordCounts& counts, std::string_view word) {
  const auto entry = counts.find(word);
  if (entry == counts.end()) {
    counts.emplace(word, 1);
  } else {
    ++entry->second;
  }
}

void for_spaced_words(std::string_view text, WordCounts& counts) {
  constexpr std::string_view kReserved = "\xE2\x96\x85";
  const auto is_space = [](std::string_view rest) {
    return rest[0] == ' ' || rest[0] == '\t' || rest[0] == '\n' || rest.starts_with(kSentencePieceSpace);
  };
  while (!text.empty()) {
    size_t end = 0;
    while (end < text.size() && end < kMaxSpacedWord && !is_space(text.substr(end))) {
      end += static_cast<size_t>(decode_utf8(text.data() + end).length);
    }
    const std::string_view word = text.substr(0, end);
    if (!word.empty() && word.find(kReserved) == word.npos) add_one(counts, word);
    if (end < text.size() && is_space(text.substr(end))) {
      end += static_cast<size_t>(decode_utf8(text.data() + end).length);
    }
    text.remove_prefix(end);
  }
}

// FNV-1a: the same on every machine.
uint64_t stable_hash(std::string_view word) {
  uint64_t hash = 14695981039346656037u;
  for (const char c : word) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
  return hash ^ hash >> 32;
}

}  // namespace

void SpacedWordCounter::add(std::string_view text) {
  for_spaced_words(text, block_);
  block_bytes_ += text.size();
  if (block_bytes_ >= kBlockBytes) merge_block();
}

void SpacedWordCounter::merge_block() {
  merge(block_);
  block_.clear();
  block_bytes_ = 0;
}

void SpacedWordCounter::merge(const WordCounts& part) {
  for (const auto& [word, count] : part) {
    const auto entry = counts_.find(word);
    if (entry != counts_.end()) {
      entry->second += count;
    } else if (stays(word)) {
      counts_.emplace(word, count);
      bytes_ += word.size();
    }
  }
  if (bytes_ > max_bytes_) thin();
}

WordCounts SpacedWordCounter::release() {
  merge_block();
  return std::move(counts_);
}

bool SpacedWordCounter::stays(std::string_view word) const { return (stable_hash(word) & (share_ - 1)) == 0; }

void SpacedWordCounter::thin() {
  for (int64_t rare = 1; bytes_ > max_bytes_ / 4 * 3; rare = rare < int64_t{1} << 40 ? rare * 2 : 1) {
    share_ = share_ < uint64_t{1} << 63 ? share_ * 2 : share_;
    std::erase_if(counts_, [&](const auto& entry) {
      if (entry.second > rare || stays(entry.first)) return false;
      bytes_ -= entry.first.size();
      return true;
    });
  }
}

WordCounts count_spaced_words(std::span<const std::string> paths, size_t max_bytes, ThreadPool& pool) {
  SpacedWordCounter counts(max_bytes);
  merge_blocks<WordCounts>(paths, pool, for_spaced_words, [&](const WordCounts& part) { counts.merge(part); });
  return counts.release();
}

WordCounts count_words(std::span<const std::string> paths, const Normalization& normalization, ThreadPool& pool) {
  return count_blocks<WordCounts>(paths, pool, [&](std::string_view text, WordCounts& counts) {
    for_words(text, 0, normalization, /*with_origins=*/false, [&counts](const Word& word) {
      if (word.code_points > kMaxWordCodePoints) return;
      add_one(counts, word.text);
    });
  });
}

WordCounts count_byte_words(std::span<const std::string> paths, ThreadPool& pool) {
  const WordCounts bytes = count_blocks<WordCounts>(
      paths, pool, [words = ByteWords(BytePattern::gpt2)](std::string_view text, WordCounts& counts) {
        for (size_t begin = 0, end = 0; begin < text.size(); begin = end) {
          end = words.end_of_word(text, begin);
          if (end - begin <= kMaxSpacedWord) add_one(counts, text.substr(begin, end - begin));
        }
      });
  WordCounts spelled;
  for (const auto& [word, count] : bytes) spelled.emplace(pipeline::bytes_to_letters(word), count);
  return spelled;
}

WordCounts count_jieba_words(std::span<const std::string> paths, const WordPieceOptions& options, JiebaMode mode,
                             const JiebaSegmenter& segmenter, ThreadPool& pool) {
  return count_blocks<WordCounts>(paths, pool, [&](std::string_view text, WordCounts& counts) {
    const JiebaText normal = normalize_for_jieba(text, 0, options, mode, false);
    JiebaSegmenter::Words words;
    segmenter.cut(normal.code_points, words);
    std::string word;
    size_t i = 0;
    for (const size_t end : words.ends) {
      if (static_cast<int64_t>(end - i) > kMaxWordCodePoints || is_whitespace(normal.code_points[i])) {
        i = end;
        continue;
      }
      for (word.clear(); i < end; ++i) append_utf8(word, normal.code_points[i]);
      add_one(counts, word);
    }
  });
}

CodePointCounts count_code_points(std::span<const std::string> paths, const Normalization& normalization,
                                  ThreadPool& pool) {
  return count_blocks<CodePointCounts>(paths, pool, [&](std::string_view text, CodePointCounts& counts) {
    auto sink = [&counts](char32_t c, int64_t) { ++counts[c]; };
    Normalizer<decltype(sink)> normalizer(normalization, sink);
    normalizer.run(text, 0);
  });
}

}  // namespace roformer
