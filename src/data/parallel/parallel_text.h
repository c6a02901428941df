// Parallel text: files of two languages, of which line i of one is the translation of line i of the other.
#pragma once

#include <cstdint>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

namespace roformer {

// Lines in one piece of memory.
class LineStore {
 public:
  int64_t size() const { return static_cast<int64_t>(ends_.size()); }
  std::string_view operator[](int64_t i) const {
    const auto at = static_cast<size_t>(i);
    const size_t begin = at == 0 ? 0 : ends_[at - 1];
    return std::string_view(bytes_).substr(begin, ends_[at] - begin);
  }
  void append(std::string_view line) {
    bytes_ += line;
    ends_.push_back(bytes_.size());
  }

 private:
  std::string bytes_;
  std::vector<size_t> ends_;
};

struct ParallelText {
  LineStore source, target;
  std::string source_hash, target_hash;  // of all lines in order

  int64_t size() const { return source.size(); }
};

// A hash of 128 bits of both texts of a pair, for sets of pairs.
struct PairKey {
  uint64_t high = 0, low = 0;
  bool operator==(const PairKey&) const = default;

  struct Hash {
    size_t operator()(const PairKey& key) const { return key.low; }
  };
};
using PairSet = std::unordered_set<PairKey, PairKey::Hash>;
PairKey pair_key(const ParallelText& text, int64_t i);

// Of files in pairs, as many of either, plain or compressed, a line after the other and a file after the other.
// UsageError for another number of files; DataError, naming both files and their lines, where a pair has different
// numbers of lines, for malformed lines (text/text_file.h), and where there is no line; Interrupted if a stop is
// requested.
ParallelText read_parallel_text(std::span<const std::string> sources, std::span<const std::string> targets,
                                const std::stop_token& stop = {});

}  // namespace roformer
