#include "text/pipeline/pre_tokenizer.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "text/bert_unicode.h"
#include "text/pipeline/byte_letters.h"
#include "text/pipeline/byte_words.h"
#include "text/pipeline/pattern.h"
#include "text/pipeline/unicode.h"
#include "text/sentencepiece/model.h"
#include "text/unicode.h"

namespace roformer {

namespace {

// What becomes of the stretches that match.
enum class SplitBehavior { removed, isolated, merged_with_previous, merged_with_next, contiguous };

// Merges stretches of a text as `behavior` says; `matches` is then whether one is left out.
void merge_stretches(SplitBehavior behavior, std::vector<Stretch>& stretches) {
  if (behavior == SplitBehavior::removed) return;
  const bool backward = behavior == SplitBehavior::merged_with_next;
  if (backward) std::ranges::reverse(stretches);
  size_t size = 0;
  bool previous = false;  // whether the stretch before matches
  for (const Stretch stretch : stretches) {
    const bool merges = behavior == SplitBehavior::contiguous ? stretch.matches == previous
                        : behavior == SplitBehavior::isolated ? false
                                                              : stretch.matches && !previous;
    previous = stretch.matches;
    if (merges && size > 0) {
      (backward ? stretches[size - 1].begin : stretches[size - 1].end) = backward ? stretch.begin : stretch.end;
    } else {
      stretches[size++] = {stretch.begin, stretch.end, false};
    }
  }
  stretches.resize(size);
  if (backward) std::ranges::reverse(stretches);
}

PreTokenizerStep split_at(StretchFinder find, SplitBehavior behavior, bool invert = false) {
  return [find = std::move(find), behavior, invert](SplitText& text) {
    std::vector<SplitText::Word> words;
    std::vector<Stretch> stretches;
    for (const SplitText::Word& word : text.words) {
      if (word.added >= 0) {
        words.push_back(word);
        continue;
      }
      stretches.clear();
      find(std::string_view(text.aligned.text).substr(word.begin, word.end - word.begin), stretches);
      for (Stretch& stretch : stretches) stretch.matches ^= invert;
      merge_stretches(behavior, stretches);
      for (const auto& [begin, end, left_out] : stretches) {
        if (!left_out && end > begin) words.push_back({word.begin + begin, word.begin + end});
      }
    }
    text.words = std::move(words);
  };
}

// Words are runs of \w and runs of what is neither \w nor white space.
void find_between_words(std::string_view text, std::vector<Stretch>& stretches) {
  enum class RunKind { none, space, word, other };
  RunKind previous = RunKind::none;
  size_t at = 0;
  for_code_points(text, [&](char32_t c) {
    const size_t begin = std::exchange(at, at + static_cast<size_t>(decode_utf8(text.data() + at).length));
    const RunKind kind = pipeline::is_word(c) ? RunKind::word : is_whitespace(c) ? RunKind::space : RunKind::other;
    if (kind == previous) {
      stretches.back().end = at;
    } else {
      stretches.push_back({begin, at, kind == RunKind::space});
    }
    previous = kind;
  });
}

// Has rewrite(rewriter, word, whether it starts the input) write each word anew; added tokens stay.
template <class Rewrite>
void rewrite_words(SplitText& text, const Rewrite& rewrite) {
  const std::vector<SplitText::Word> old = std::exchange(text.words, {});
  AlignedText& aligned = text.aligned;
  TextRewriter rewriter(aligned);
  size_t copied = 0;
  for (const SplitText::Word& word : old) {
    rewriter.skip_bytes(word.begin - copied);
    copied = word.end;
    const size_t begin = aligned.text.size();
    if (word.added >= 0) {
      rewriter.copy(word.end - word.begin);
    } else {
      rewrite(rewriter, rewriter.old().substr(word.begin, word.end - word.begin), rewriter.starts_input(word.begin));
    }
    text.words.push_back({begin, aligned.text.size(), word.added});
  }
  rewriter.skip_bytes(rewriter.old().size() - copied);
  rewriter.finish();
}

enum class PrependScheme { always, first, never };

// Spaces become `mark`, one more is put before a word that does not start with it, and words are split before each.
struct Metaspace {
  std::string mark;
  PrependScheme scheme;

  void apply(SplitText& text) const {
    rewrite_words(text, [this](TextRewriter& rewriter, std::string_view word, bool at_start) {
      rewrite(rewriter, word, at_start);
    });
  }

 private:
  void rewrite(TextRewriter& rewriter, std::string_view word, bool at_start) const {
    const bool wanted = scheme == PrependScheme::always || (scheme == PrependScheme::first && at_start);
    bool prepends = wanted && !word.starts_with(' ') && !word.starts_with(mark);
    const char32_t mark_point = decode_utf8(mark.data()).value;
    for_code_points(word, [&](char32_t c) {
      if (std::exchange(prepends, false)) {
        rewriter.put(mark_point, 1);
        rewriter.put(c, 0);
      } else {
        rewriter.put(c == U' ' ? mark_point : c, 1);
      }
    });
  }
};

void prepend_space(TextRewriter& rewriter, std::string_view word) {
  bool prepends = !word.starts_with(' ');
  for_code_points(word, [&](char32_t c) {
    const bool first = std::exchange(prepends, false);
    if (first) rewriter.put(U' ', 1);
    rewriter.put(c, first ? 0 : 1);
  });
}

void spell_bytes(TextRewriter& rewriter, std::string_view word) {
  for (const char byte : word) {
    rewriter.put(pipeline::letter_of_byte(static_cast<unsigned char>(byte)), begins_code_point(byte) ? 1 : 0);
  }
}

void find_gpt2_words(std::string_view text, std::vector<Stretch>& stretches) {
  const ByteWords words(BytePattern::gpt2);
  for (size_t begin = 0, end = 0; begin < text.size(); begin = end) {
    end = words.end_of_word(text, begin);
    stretches.push_back({begin, end, true});
  }
}

void append_byte_level(const JsonObject& part, std::vector<PreTokenizerStep>& steps) {
  const auto rewrite_all = [&](void (*rewrite)(TextRewriter&, std::string_view)) {
    steps.emplace_back([rewrite](SplitText& text) {
      rewrite_words(text, [rewrite](TextRewriter& rewriter, std::string_view word, bool) { rewrite(rewriter, word); });
    });
  };
  if (part.get_bool("add_prefix_space", true)) rewrite_all(prepend_space);
  if (part.get_bool("use_regex", true)) steps.push_back(split_at(find_gpt2_words, SplitBehavior::isolated));
  rewrite_all(spell_bytes);
}

SplitBehavior read_behavior(const JsonObject& part, const std::optional<std::string>& fallback) {
  const std::string name = part.get_string("behavior", fallback);
  if (name == "Removed") return SplitBehavior::removed;
  if (name == "Isolated") return SplitBehavior::isolated;
  if (name == "MergedWithPrevious") return SplitBehavior::merged_with_previous;
  if (name == "MergedWithNext") return SplitBehavior::merged_with_next;
  if (name == "Contiguous") return SplitBehavior::contiguous;
  part.reject("behavior", "Removed, Isolated, MergedWithPrevious, MergedWithNext or Contiguous");
}

void append_metaspace(const PipelinePart& part, std::vector<PreTokenizerStep>& steps) {
  const JsonObject& json = part.json();
  const std::string mark = part.get_character("replacement", std::string(kSentencePieceSpace));
  const std::string name =
      json.get_string("prepend_scheme", json.get_bool("add_prefix_space", true) ? "always" : "never");
  if (name != "always" && name != "first" && name != "never") json.reject("prepend_scheme", "always, first or never");
  if (name != "never" && !json.get_bool("add_prefix_space", true))
    json.reject("prepend_scheme", "never, or no 'add_prefix_space'");
  const PrependScheme scheme = name == "always"  ? PrependScheme::always
                               : name == "first" ? PrependScheme::first
                                                 : PrependScheme::never;
  steps.emplace_back([metaspace = Metaspace{mark, scheme}](SplitText& text) { metaspace.apply(text); });
  if (json.get_bool("split", true)) {
    steps.push_back(split_at(find_literal(mark), SplitBehavior::merged_with_next));
  }
}

void append_pre_tokenizer(const PipelinePart& part, std::vector<PreTokenizerStep>& steps) {
  const std::string& type = part.type();
  const JsonObject& json = part.json();
  const auto white_space = find_code_points(is_whitespace), punctuation = find_code_points(bert::is_punctuation);
  if (type == "Whitespace") {
    steps.push_back(split_at(find_between_words, SplitBehavior::removed));
  } else if (type == "WhitespaceSplit") {
    steps.push_back(split_at(white_space, SplitBehavior::removed));
  } else if (type == "BertPreTokenizer") {
    steps.push_back(split_at(white_space, SplitBehavior::removed));
    steps.push_back(split_at(punctuation, SplitBehavior::isolated));
  } else if (type == "Punctuation") {
    steps.push_back(split_at(punctuation, read_behavior(json, "Isolated")));
  } else if (type == "Digits") {
    steps.push_back(split_at(find_code_points(pipeline::is_numeric), json.get_bool("individual_digits", std::nullopt)
                                                                         ? SplitBehavior::isolated
                                                                         : SplitBehavior::contiguous));
  } else if (type == "Metaspace") {
    append_metaspace(part, steps);
  } else if (type == "ByteLevel") {
    append_byte_level(json, steps);
  } else if (type == "CharDelimiterSplit") {
    steps.push_back(split_at(find_literal(part.get_character("delimiter", "")), SplitBehavior::removed));
  } else if (type == "Split") {
    steps.push_back(
        split_at(read_pattern(part), read_behavior(json, std::nullopt), json.get_bool("invert", std::nullopt)));
  } else {
    part.refuse(
        "Whitespace, WhitespaceSplit, Punctuation, Digits, Metaspace, ByteLevel, BertPreTokenizer, Split or "
        "CharDelimiterSplit");
  }
}

}  // namespace

PipelinePreTokenizer::PipelinePreTokenizer(const JsonObject& file) {
  for (const PipelinePart& part : read_pipeline_parts(file, "pre_tokenizer", "pretokenizers", "pre-tokenizer")) {
    append_pre_tokenizer(part, steps_);
  }
}

}  // namespace roformer
