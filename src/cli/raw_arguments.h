// What stands between argv and the CLI11 library, which strips brackets, splits at commas, takes an empty value for
// none and an option's name for a value. A person's text must arrive untouched, so CLI11 never sees one: every argument
// that is not an option's name is replaced by a placeholder, and what CLI11 found is looked up here again.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace roformer {

class RawArguments {
 public:
  struct Text {
    std::string value;
    bool looks_like_option = false;  // "-k" before "--": as a text of its own it is likely a mistake
  };

  // `names`: the options there are, with their dashes. UsageError for an option that is not among them, naming the
  // nearest. After "--" everything is text.
  RawArguments(std::span<const std::string> arguments, std::span<const std::string> names);

  const std::vector<std::string>& placeholders() const { return placeholders_; }
  // The text behind a placeholder; nullptr if `result` is none (the word of a flag, or an option taken for a value).
  const Text* find(std::string_view result) const;

 private:
  std::string replace(std::string value, bool looks_like_option);

  std::vector<std::string> placeholders_;
  std::vector<Text> texts_;
};

// "; did you mean X?" for the candidate that begins with `word`, or is a few letters away from it, else empty.
std::string did_you_mean(std::string_view word, std::span<const std::string> candidates);

}  // namespace roformer
