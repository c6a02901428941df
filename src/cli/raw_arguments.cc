#include "cli/raw_arguments.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <numeric>
#include <utility>

#include "base/error.h"
#include "base/json.h"

namespace roformer {
namespace {

constexpr char kMark = '\x01';  // starts a placeholder; texts with this character are replaced like all others

// CLI11 reads the value of a flag itself.
bool is_flag_word(std::string_view value) {
  constexpr std::array<std::string_view, 8> kWords = {"true", "false", "on", "off", "yes", "no", "1", "0"};
  return std::find(kWords.begin(), kWords.end(), value) != kWords.end();
}

// Levenshtein: the fewest letters to insert, delete or exchange.
size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i + 1);
    for (size_t j = 0; j < b.size(); ++j) {
      const size_t replaced = diagonal + (a[i] != b[j]);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row.back();
}

bool looks_like_option(std::string_view text) {
  return text.size() >= 2 && text[0] == '-' && std::isalpha(static_cast<unsigned char>(text[1]));
}

}  // namespace

RawArguments::RawArguments(std::span<const std::string> arguments, std::span<const std::string> names) {
  bool only_texts = false;
  for (const std::string& argument : arguments) {
    if (only_texts) {
      placeholders_.push_back(replace(argument, false));
    } else if (argument == "--" || argument == "-h") {
      only_texts = argument == "--";
      placeholders_.push_back(argument);
    } else if (argument.starts_with("--")) {
      const size_t equals = argument.find('=');
      const std::string name = argument.substr(0, equals);
      if (std::find(names.begin(), names.end(), name) == names.end()) {
        throw UsageError("unknown option {}{}", quote(name), did_you_mean(name, names));
      }
      if (equals == std::string::npos || is_flag_word(argument.substr(equals + 1))) {
        placeholders_.push_back(argument);
      } else {
        placeholders_.push_back(name + "=" + replace(argument.substr(equals + 1), false));
      }
    } else {
      placeholders_.push_back(replace(argument, looks_like_option(argument)));
    }
  }
}

std::string RawArguments::replace(std::string value, bool is_dubious) {
  texts_.push_back({std::move(value), is_dubious});
  return kMark + std::to_string(texts_.size() - 1);
}

const RawArguments::Text* RawArguments::find(std::string_view result) const {
  if (result.empty() || result[0] != kMark) return nullptr;
  size_t index = 0;
  std::from_chars(result.data() + 1, result.data() + result.size(), index);
  return index < texts_.size() ? &texts_[index] : nullptr;
}

std::string did_you_mean(std::string_view word, std::span<const std::string> candidates) {
  constexpr size_t kLongestWord = 100;  // the distance costs the product of both lengths
  if (word.size() > kLongestWord) return "";
  const std::string* best = nullptr;
  size_t best_distance = std::max<size_t>(2, word.size() / 3) + 1;
  for (const std::string& candidate : candidates) {
    // The beginning of a word, as somebody types it who trusts completion, is nearer than any misspelling.
    const bool begins = word.size() > 3 && candidate.starts_with(word);
    const size_t distance = begins ? 0 : edit_distance(word, candidate);
    if (distance >= best_distance) continue;
    best = &candidate;
    best_distance = distance;
  }
  return best == nullptr ? "" : fmt::format("; did you mean {}?", *best);
}

}  // namespace roformer
