#include "text/jieba/jieba_dictionary.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <cstring>

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/utf8.h"

namespace roformer {

namespace {

constexpr int64_t kMaxFrequency = 1'000'000'000'000;  // times the maximum number of lines: within 63 bits
constexpr size_t kFirstPlane = 0x10000;

// A compiled dictionary is this, then log_frequency[nodes], labels[nodes], children[nodes + 1].
struct Header {
  std::array<char, 8> magic;
  uint32_t byte_order;
  uint32_t nodes;
  double log_total_of_lines, log_total_of_words;
  std::array<char, 32> source_hash;   // of the text
  std::array<char, 32> content_hash;  // of what follows the header
};
static_assert(sizeof(Header) == 96);
constexpr std::array<char, 8> kMagic = {'r', 'f', 'j', 'i', 'e', 'b', 'a', '1'};  // the last character is the version
constexpr uint32_t kByteOrder = 0x01020304;
constexpr size_t kNodeBytes = sizeof(double) + 2 * sizeof(uint32_t);

struct Entry {
  std::u32string_view word;
  int64_t frequency;
};

struct Entries {
  std::vector<char32_t> letters;  // of all words, concatenated
  std::vector<Entry> words;       // sorted, each once
  int64_t total_of_lines = 0, total_of_words = 0;
};

[[noreturn]] void fail_line(std::string_view where, int64_t number, std::string_view problem, std::string_view line) {
  throw DataError("{}:{}: {}, expected \"word frequency tag\", got {}", FilePath(where), LineNumber(number), problem,
                  quote(line));
}

struct Line {
  std::string_view word;
  int64_t frequency;
};

Line parse_line(std::string_view line, std::string_view where, int64_t number) {
  const size_t bad = find_invalid_utf8(line);
  if (bad != kValidUtf8)
    throw DataError("{}:{}: not valid UTF-8 at byte {} of the line", FilePath(where), LineNumber(number), bad);
  if (line.find('\0') != line.npos)
    throw DataError("{}:{}: holds a NUL byte, expected a text file", FilePath(where), LineNumber(number));
  const size_t space = line.find(' ');
  if (space == line.npos || space == 0) fail_line(where, number, "missing frequency", line);
  std::string_view rest = line.substr(space + 1);
  rest = rest.substr(0, rest.find(' '));
  Line result{line.substr(0, space), 0};
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), result.frequency);
  if (error != std::errc() || end != rest.data() + rest.size() || result.frequency < 0 ||
      result.frequency > kMaxFrequency) {
    fail_line(where, number, fmt::format("the frequency is not an integer from 0 to {}", kMaxFrequency), line);
  }
  return result;
}

// Calls on_line(Line, number) for every line that is not blank.
template <class OnLine>
void for_lines(std::string_view text, std::string_view where, OnLine on_line) {
  constexpr std::string_view kBlanks = " \t\r\f\v";
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  for (int64_t number = 1; !text.empty(); ++number) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    const size_t start = line.find_first_not_of(kBlanks);
    if (start == line.npos) continue;
    line = line.substr(start, line.find_last_not_of(kBlanks) + 1 - start);
    on_line(parse_line(line, where, number), number);
  }
}

Entries read_entries(std::string_view text, std::string_view where) {
  Entries result;
  std::vector<std::array<size_t, 2>> ranges;
  std::vector<int64_t> frequencies;
  for_lines(text, where, [&](const Line& line, int64_t number) {
    const size_t begin = result.letters.size();
    for (size_t i = 0; i < line.word.size();) {
      const CodePoint c = decode_utf8(line.word.data() + i);
      result.letters.push_back(c.value);
      i += static_cast<size_t>(c.length);
    }
    const size_t length = result.letters.size() - begin;
    if (length > kMaxDictionaryWord) {
      throw DataError("{}:{}: a word of {} characters, at most {}", FilePath(where), LineNumber(number), length,
                      kMaxDictionaryWord);
    }
    ranges.push_back({begin, length});
    frequencies.push_back(line.frequency);
    result.total_of_lines += line.frequency;
  });
  const std::u32string_view letters(result.letters.data(), result.letters.size());
  for (size_t i = 0; i < ranges.size(); ++i) {
    result.words.push_back({letters.substr(ranges[i][0], ranges[i][1]), frequencies[i]});
  }
  std::ranges::stable_sort(result.words, {}, &Entry::word);
  size_t unique = 0;
  for (const Entry& entry : result.words) {
    if (unique > 0 && result.words[unique - 1].word == entry.word) --unique;
    result.words[unique++] = entry;
  }
  result.words.resize(unique);
  for (const Entry& entry : result.words) result.total_of_words += entry.frequency;
  if (result.total_of_words == 0)
    throw DataError("{}: no words with a frequency, expected jieba's dict.txt", FilePath(where));
  return result;
}

struct Nodes {
  std::vector<double> log_frequency;
  std::vector<uint32_t> labels, children;
};

Nodes build_nodes(const std::vector<Entry>& words) {
  struct EntryRange {
    size_t begin, end, depth;  // the words that start with the node's characters
  };
  Nodes nodes;
  std::vector<EntryRange> ranges = {{0, words.size(), 0}};
  nodes.labels.push_back(0);
  for (size_t i = 0; i < ranges.size(); ++i) {
    auto [begin, end, depth] = ranges[i];
    nodes.children.push_back(static_cast<uint32_t>(ranges.size()));
    nodes.log_frequency.push_back(-1);
    if (words[begin].word.size() == depth) {
      const int64_t frequency = words[begin++].frequency;
      if (frequency > 0) nodes.log_frequency.back() = std::log(static_cast<double>(frequency));
    }
    while (begin < end) {
      const char32_t label = words[begin].word[depth];
      size_t stop = begin;
      while (stop < end && words[stop].word[depth] == label) ++stop;
      ranges.push_back({begin, stop, depth + 1});
      nodes.labels.push_back(label);
      begin = stop;
    }
  }
  nodes.children.push_back(static_cast<uint32_t>(ranges.size()));
  return nodes;
}

// The directory of compiled dictionaries; empty if the environment names none.
std::string cache_directory() {
  const auto variable = [](const char* name) {
    const char* value = std::getenv(name);
    return std::string(value != nullptr && value[0] == '/' ? value : "");  // XDG: relative paths are ignored
  };
  if (const std::string cache = variable("XDG_CACHE_HOME"); !cache.empty()) return join_path(cache, "roformer");
  const std::string home = variable("HOME");
  return home.empty() ? home : join_path(home, ".cache/roformer");
}

std::shared_ptr<const JiebaDictionary> open_cached(const std::string& path, const std::string& source_hash) {
  try {
    const auto file = std::make_shared<const MappedFile>(path);
    auto dictionary = std::make_shared<const JiebaDictionary>(file->view(), file, path);
    return dictionary->source_hash() == source_hash ? dictionary : nullptr;
  } catch (const Error&) {
    return nullptr;  // absent, corrupt or of another version: compiled again
  }
}

void try_to_cache(const std::string& directory, const std::string& path, std::string_view image) {
  try {
    make_directories(directory);
    write_file_atomically(path, image);
  } catch (const Error&) {  // the cache is optional
  }
}

template <class T>
std::string_view bytes_of(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

}  // namespace

std::string JiebaDictionary::compile(std::string_view text, std::string_view where) {
  const Entries entries = read_entries(text, where);
  const Nodes nodes = build_nodes(entries.words);
  Header header{.magic = kMagic,
                .byte_order = kByteOrder,
                .nodes = static_cast<uint32_t>(nodes.labels.size()),
                .log_total_of_lines = std::log(static_cast<double>(entries.total_of_lines)),
                .log_total_of_words = std::log(static_cast<double>(entries.total_of_words)),
                .source_hash = {},
                .content_hash = {}};
  std::string content(bytes_of(nodes.log_frequency));
  content.append(bytes_of(nodes.labels)).append(bytes_of(nodes.children));
  std::ranges::copy(hash_hex(text), header.source_hash.begin());
  std::ranges::copy(hash_hex(content), header.content_hash.begin());
  return content.insert(0, reinterpret_cast<const char*>(&header), sizeof(header));
}

JiebaDictionary::JiebaDictionary(std::string_view image, std::shared_ptr<const void> owner, std::string_view where)
    : owner_(std::move(owner)), first_(kFirstPlane) {
  const auto require = [&](bool holds, const char* problem) {
    if (!holds) throw DataError("{}: not a compiled dictionary: {}", FilePath(where), problem);
  };
  Header header;
  require(image.size() >= sizeof(header), "too short");
  std::memcpy(&header, image.data(), sizeof(header));
  require(header.magic == kMagic && header.byte_order == kByteOrder, "another format, version or byte order");
  const std::string_view content = image.substr(sizeof(header));
  const size_t count = header.nodes;
  require(count > 0 && content.size() == count * kNodeBytes + sizeof(uint32_t),
          "its size does not match its number of nodes");
  require(reinterpret_cast<uintptr_t>(image.data()) % alignof(double) == 0, "not aligned");
  require(hash_hex(content) == std::string_view(header.content_hash.data(), header.content_hash.size()), "damaged");
  log_frequency_ = reinterpret_cast<const double*>(content.data());
  labels_ = reinterpret_cast<const uint32_t*>(content.data() + count * sizeof(double));
  children_ = labels_ + count;
  log_total_of_lines_ = header.log_total_of_lines;
  log_total_of_words_ = header.log_total_of_words;
  require(std::isfinite(log_total_of_lines_) && std::isfinite(log_total_of_words_), "a sum is not finite");
  source_hash_.assign(header.source_hash.data(), header.source_hash.size());

  // Children come after their parent and end where those of the next node start, so walks are in bounds and acyclic.
  bool ordered = children_[0] == 1 && children_[count] == count, finite = true;
  for (size_t i = 0; i < count; ++i) {
    ordered = ordered && children_[i] > i && children_[i] <= children_[i + 1];
    finite = finite && std::isfinite(log_frequency_[i]);
  }
  require(ordered, "its nodes are not in order");
  require(finite, "a frequency is not finite");
  for (size_t i = 0; i < count; ++i) {
    for (uint32_t child = children_[i] + 1; child < children_[i + 1]; ++child) {
      ordered = ordered && labels_[child - 1] < labels_[child];
    }
  }
  require(ordered, "its characters are not in order");
  for (uint32_t child = children_[0]; child < children_[1]; ++child) {
    if (labels_[child] < kFirstPlane) first_[labels_[child]] = child;
  }
}

std::shared_ptr<const JiebaDictionary> JiebaDictionary::open(const std::string& path) {
  const std::string text = read_file(path, kMaxDictionaryBytes);
  const std::string hash = hash_hex(text), directory = cache_directory();
  const std::string cache = directory.empty() ? "" : join_path(directory, fmt::format("jieba-{}.dictionary", hash));
  if (!cache.empty()) {
    if (auto dictionary = open_cached(cache, hash)) return dictionary;
  }
  const auto image = std::make_shared<const std::string>(compile(text, path));
  if (!cache.empty()) try_to_cache(directory, cache, *image);
  return std::make_shared<const JiebaDictionary>(*image, image, path);
}

}  // namespace roformer
