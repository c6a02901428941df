#include "data/parallel/parallel_text.h"

#include <fmt/format.h>

#include <charconv>

#include "base/error.h"
#include "base/hash.h"
#include "base/progress.h"
#include "base/stop.h"
#include "text/text_file.h"
#include "text/unicode.h"

namespace roformer {

namespace {

void read_pair(const std::string& source_path, const std::string& target_path, const std::stop_token& stop,
               ParallelText& text) {
  constexpr int64_t kLinesBetweenPolls = 4096;
  TextFile source(source_path), target(target_path);
  std::string_view line;
  int64_t source_lines = 0, target_lines = 0;
  const auto read = [&](TextFile& file, LineStore& store, int64_t& lines) {
    if (!file.next_line(line)) return false;
    store.append(strip_whitespace(line));
    ++lines;
    return true;
  };
  for (;;) {
    if (source_lines % kLinesBetweenPolls == 0) throw_if_stopped(stop);
    const bool one = read(source, text.source, source_lines), other = read(target, text.target, target_lines);
    if (one && other) continue;
    if (!one && !other) return;
    while (source.next_line(line)) ++source_lines;
    while (target.next_line(line)) ++target_lines;
    throw DataError("{} has {}, {} has {}: expected a translation of each line", FilePath(source_path),
                    counted(source_lines, "line"), FilePath(target_path), counted(target_lines, "line"));
  }
}

std::string hash_of_lines(const LineStore& lines) {
  Hasher hasher;
  for (int64_t i = 0; i < lines.size(); ++i) {
    hasher.update(lines[i].data(), std::ssize(lines[i]));
    hasher.update("\n", 1);
  }
  return hasher.hex();
}

}  // namespace

PairKey pair_key(const ParallelText& text, int64_t i) {
  constexpr size_t kDigits = 16;  // of 64 bits
  const std::string hex = hash_hex(fmt::format("{}\n{}", text.source[i], text.target[i]));
  const auto number = [&](size_t begin) {
    uint64_t value = 0;
    std::from_chars(hex.data() + begin, hex.data() + begin + kDigits, value, 16);
    return value;
  };
  return {number(0), number(kDigits)};
}

ParallelText read_parallel_text(std::span<const std::string> sources, std::span<const std::string> targets,
                                const std::stop_token& stop) {
  if (sources.size() != targets.size()) {
    throw UsageError("{} of the source, {} of the target: expected as many of both",
                     counted(std::ssize(sources), "file"), counted(std::ssize(targets), "file"));
  }
  ParallelText text;
  for (size_t i = 0; i < sources.size(); ++i) read_pair(sources[i], targets[i], stop, text);
  if (text.size() == 0) throw DataError("{}: has no lines", FilePath(sources.empty() ? "" : sources.front()));
  text.source_hash = hash_of_lines(text.source);
  text.target_hash = hash_of_lines(text.target);
  return text;
}

}  // namespace roformer
