#include "text/text_counts.h"

#include <functional>
#include <vector>

#include "text/document_tag.h"
#include "text/jieba_text.h"
#include "text/text_file.h"

namespace roformer {

namespace {

constexpr size_t kBlockBytes = size_t{1} << 20;
constexpr size_t kBlocks = 32;  // held in memory at once

// Counts blocks of whole lines in parallel, each into a map of its own. Sums do not depend on their order.
template <class Counts>
Counts count_blocks(std::span<const std::string> paths, ThreadPool& pool,
                    const std::function<void(std::string_view, Counts&)>& count) {
  Counts total;
  std::vector<std::string> blocks(1);
  const auto finish = [&] {
    std::vector<Counts> parts(blocks.size());
    pool.run(static_cast<int64_t>(blocks.size()),
             [&](int64_t i) { count(blocks[static_cast<size_t>(i)], parts[static_cast<size_t>(i)]); });
    for (const auto& part : parts) {
      for (const auto& [key, value] : part) total[key] += value;
    }
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

}  // namespace

WordCounts count_words(std::span<const std::string> paths, const Normalization& normalization, ThreadPool& pool) {
  return count_blocks<WordCounts>(paths, pool, [&](std::string_view text, WordCounts& counts) {
    for_words(text, 0, normalization, /*with_origins=*/false, [&counts](const Word& word) {
      if (word.code_points > kMaxWordCodePoints) return;
      add_one(counts, word.text);
    });
  });
}

WordCounts count_jieba_words(std::span<const std::string> paths, const WordPieceOptions& options, JiebaMode mode,
                             const JiebaCutter& cutter, ThreadPool& pool) {
  return count_blocks<WordCounts>(paths, pool, [&](std::string_view text, WordCounts& counts) {
    const JiebaText normal = normalise_for_jieba(text, 0, options, mode, false);
    JiebaCutter::Words words;
    cutter.cut(normal.code_points, words);
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
