#include "text/pipeline/decoder.h"

#include <array>
#include <utility>

#include "base/error.h"
#include "base/utf8.h"
#include "text/pipeline/byte_letters.h"
#include "text/pipeline/part.h"
#include "text/pipeline/pattern.h"
#include "text/sentencepiece/model.h"

namespace roformer {

namespace {

constexpr char32_t kNothingPending = 1, kSpacePending = U' ';  // values of DecodeState::last once there is text

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  if (from.empty()) return;
  std::string result;
  size_t begin = 0;
  for (size_t at = 0; (at = text.find(from, begin)) != text.npos; begin = at + from.size()) {
    result.append(text, begin, at - begin).append(to);
  }
  if (begin == 0) return;
  text = result.append(text, begin);
}

// English punctuation and contractions, token by token.
void clean_up(std::string& token) {
  constexpr std::array<std::array<std::string_view, 2>, 11> kRules = {{{" .", "."},
                                                                       {" ?", "?"},
                                                                       {" !", "!"},
                                                                       {" ,", ","},
                                                                       {" ' ", "'"},
                                                                       {" n't", "n't"},
                                                                       {" 'm", "'m"},
                                                                       {" do not", " don't"},
                                                                       {" 's", "'s"},
                                                                       {" 've", "'ve"},
                                                                       {" 're", "'re"}}};
  for (const auto& [from, to] : kRules) replace_all(token, from, to);
}

// Leaves out up to `start` characters at the start and `stop` at the end that equal `character`.
void strip_character(std::string& token, std::string_view character, int64_t start, int64_t stop) {
  std::string_view rest = token;
  for (; start > 0 && rest.starts_with(character); --start) rest.remove_prefix(character.size());
  for (; stop > 0 && rest.ends_with(character); --stop) rest.remove_suffix(character.size());
  token = std::string(rest);
}

void replace_matches(std::string& token, const StretchFinder& find, const std::string& content) {
  std::vector<Stretch> stretches;
  find(token, stretches);
  std::string result;
  for (const auto& [begin, end, matches] : stretches) {
    matches ? result.append(content) : result.append(token, begin, end - begin);
  }
  token = std::move(result);
}

void keep_suffix_at_end(const PipelinePart& part, const std::string& suffix, std::span<const std::string> tokens) {
  for (const std::string& token : tokens) {
    if (const size_t at = token.find(suffix); at < token.size() && at + suffix.size() < token.size()) {
      part.refuse_value("suffix", fmt::format("one that ends tokens, unlike in {}", quote(token)));
    }
  }
}

}  // namespace

PipelineDecoder::PipelineDecoder(const JsonObject& file, std::span<const std::string> tokens) {
  const auto parts = read_pipeline_parts(file, "decoder", "decoders", "decoder");
  if (parts.empty()) {
    steps_.emplace_back([](std::string& token, bool first) {
      if (!first) token.insert(0, " ");
    });
  }
  bool fused = false, has_bytes = false;
  for (const PipelinePart& part : parts) {
    const std::string& type = part.type();
    const JsonObject& json = part.json();
    if (has_bytes && type != "Fuse") {
      part.refuse("behind ByteLevel nothing but Fuse");
    } else if (fused) {
      const bool strips = type == "Strip" && strip_start_.empty();
      if (strips && json.get_int("start", std::nullopt) == 1 && json.get_int("stop", std::nullopt) == 0) {
        strip_start_ = part.get_character("content", "");
      } else if (type != "Fuse" &&
                 !(strips && json.get_int("start", std::nullopt) == 0 && json.get_int("stop", std::nullopt) == 0)) {
        part.refuse("behind Fuse one Strip of 1 character at the start");
      }
    } else if (type == "Fuse") {
      fused = true;
    } else if (type == "WordPiece") {
      steps_.emplace_back([prefix = json.get_string("prefix", "##"), cleans = json.get_bool("cleanup", true)](
                              std::string& token, bool first) {
        if (!first && token.starts_with(prefix)) {
          token.erase(0, prefix.size());
        } else if (!first) {
          token.insert(0, " ");
        }
        if (cleans) clean_up(token);
      });
    } else if (type == "Metaspace") {
      const std::string scheme =
          json.get_string("prepend_scheme", json.get_bool("add_prefix_space", true) ? "always" : "never");
      steps_.emplace_back(
          [mark = part.get_character("replacement", std::string(kSentencePieceSpace)), prepends = scheme != "never"](
              std::string& token, bool first) { replace_all(token, mark, first && prepends ? "" : " "); });
    } else if (type == "ByteLevel") {
      has_bytes = true;
      steps_.emplace_back([](std::string& token, bool) {
        if (auto bytes = pipeline::letters_to_bytes(token)) token = std::move(*bytes);
      });
    } else if (type == "BPEDecoder") {
      if (!suffix_.empty()) part.refuse("one BPEDecoder");
      suffix_ = json.get_string("suffix", "</w>");
      keep_suffix_at_end(part, suffix_, tokens);
    } else if (type == "Replace") {
      steps_.emplace_back([find = read_pattern(part), content = json.get_string("content", std::nullopt)](
                              std::string& token, bool) { replace_matches(token, find, content); });
    } else if (type == "ByteFallback") {
      steps_.emplace_back([](std::string& token, bool) {
        if (const int byte = byte_of_piece(token); byte >= 0) token.assign(1, static_cast<char>(byte));
      });
    } else if (type == "Strip") {
      steps_.emplace_back([character = part.get_character("content", ""),
                           start = json.get_int("start", std::nullopt, 0),
                           stop = json.get_int("stop", std::nullopt, 0)](std::string& token, bool) {
        strip_character(token, character, start, stop);
      });
    } else {
      part.refuse("WordPiece, Metaspace, ByteLevel, BPEDecoder, Replace, ByteFallback, Strip or Fuse");
    }
  }
}

void PipelineDecoder::append(std::string_view token, DecodeState& state, std::string& bytes) const {
  if (state.last == kSpacePending) {
    bytes += ' ';
    state.last = kNothingPending;
  }
  std::string text(token);
  const bool ends_word = !suffix_.empty() && text.ends_with(suffix_);
  if (ends_word) text.resize(text.size() - suffix_.size());
  for (const Step& step : steps_) step(text, state.at_start);
  state.at_start = false;
  if (state.last == 0 && !text.empty()) {  // the start of the text
    if (!strip_start_.empty() && text.starts_with(strip_start_)) text.erase(0, strip_start_.size());
    state.last = kNothingPending;
  }
  bytes += text;
  if (ends_word) state.last = kSpacePending;
}

}  // namespace roformer
