#include "text/pipeline/normalizer.h"

#include <array>
#include <optional>
#include <utility>

#include "text/bert_unicode.h"
#include "text/pipeline/pattern.h"
#include "text/pipeline/unicode.h"
#include "text/unicode.h"

namespace roformer {

namespace {

using pipeline::NormalizationForm;

void lowercase(AlignedText& text) {
  TextRewriter rewriter(text);
  for_code_points(rewriter.old(), [&](char32_t c) {
    std::array<char32_t, 2> lower;
    const int count = bert::to_lower(c, lower.data());
    for (int i = 0; i < count; ++i) rewriter.put(lower[static_cast<size_t>(i)], i == 0 ? 1 : 0);
  });
  rewriter.finish();
}

// Leaves out the code points that `leave_out` holds for.
template <class LeaveOut>
void filter(AlignedText& text, const LeaveOut& leave_out) {
  TextRewriter rewriter(text);
  for_code_points(rewriter.old(), [&](char32_t c) {
    if (leave_out(c)) {
      rewriter.skip(1);
    } else {
      rewriter.put(c, 1);
    }
  });
  rewriter.finish();
}

void strip(AlignedText& text, bool left, bool right) {
  size_t begin = 0, end = 0, seen = 0;  // of what is not white space
  for_code_points(text.text, [&](char32_t c) {
    const size_t next = seen + (c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4);
    if (!is_whitespace(c)) {
      if (end == 0) begin = seen;
      end = next;
    }
    seen = next;
  });
  if (end == 0) begin = left ? seen : 0;
  const size_t first = left ? begin : 0, last = right ? std::max(first, end) : seen;
  TextRewriter rewriter(text);
  rewriter.skip_bytes(first);
  rewriter.copy(last - first);
  rewriter.skip_bytes(seen - last);
  rewriter.finish();
}

void prepend(AlignedText& text, const std::string& content) {
  if (text.text.empty() || content.empty()) return;
  const char32_t next = decode_utf8(text.text.data()).value;
  TextRewriter rewriter(text);
  int replaced = 1;
  for_code_points(content, [&](char32_t c) { rewriter.put(c, std::exchange(replaced, 0)); });
  rewriter.put(next, 0);
  rewriter.finish();
}

void replace(AlignedText& text, const StretchFinder& find, const std::string& content) {
  std::vector<Stretch> stretches;
  find(text.text, stretches);
  TextRewriter rewriter(text);
  for (const auto& [begin, end, matches] : stretches) {
    if (matches) {
      rewriter.skip_bytes(end - begin);
      rewriter.insert(content);
    } else {
      rewriter.copy(end - begin);
    }
  }
  rewriter.finish();
}

void clean(AlignedText& text) {
  TextRewriter rewriter(text);
  for_code_points(rewriter.old(), [&](char32_t c) {
    const bool breaks = c == '\t' || c == '\n' || c == '\r';
    if (!breaks && (c == 0 || c == 0xFFFD || bert::is_control(c))) {
      rewriter.skip(1);
    } else {
      rewriter.put(is_whitespace(c) ? U' ' : c, 1);
    }
  });
  rewriter.finish();
}

void separate_ideographs(AlignedText& text) {
  TextRewriter rewriter(text);
  for_code_points(rewriter.old(), [&](char32_t c) {
    if (!bert::is_cjk_ideograph(c)) return rewriter.put(c, 1);
    rewriter.put(U' ', 1);
    rewriter.put(c, 0);
    rewriter.put(U' ', 0);
  });
  rewriter.finish();
}

void append_bert_steps(const JsonObject& part, std::vector<NormalizerStep>& steps) {
  const bool lower = part.get_bool("lowercase", true);
  if (part.get_bool("clean_text", true)) steps.emplace_back(clean);
  if (part.get_bool("handle_chinese_chars", true)) steps.emplace_back(separate_ideographs);
  if (part.get_bool("strip_accents", lower)) {
    steps.emplace_back([](AlignedText& text) { normalize(text, NormalizationForm::nfd); });
    steps.emplace_back([](AlignedText& text) { filter(text, bert::is_nonspacing_mark); });
  }
  if (lower) steps.emplace_back(lowercase);
}

std::optional<NormalizationForm> form_named(const std::string& type) {
  if (type == "NFC") return NormalizationForm::nfc;
  if (type == "NFD") return NormalizationForm::nfd;
  if (type == "NFKC") return NormalizationForm::nfkc;
  if (type == "NFKD") return NormalizationForm::nfkd;
  return std::nullopt;
}

void append_steps(const PipelinePart& part, std::vector<NormalizerStep>& steps) {
  const std::string& type = part.type();
  const JsonObject& json = part.json();
  if (const auto form = form_named(type)) {
    steps.emplace_back([form = *form](AlignedText& text) { normalize(text, form); });
  } else if (type == "Lowercase") {
    steps.emplace_back(lowercase);
  } else if (type == "StripAccents") {
    steps.emplace_back([](AlignedText& text) { filter(text, pipeline::is_mark); });
  } else if (type == "Strip") {
    steps.emplace_back(
        [left = json.get_bool("strip_left", std::nullopt),
         right = json.get_bool("strip_right", std::nullopt)](AlignedText& text) { strip(text, left, right); });
  } else if (type == "Replace") {
    steps.emplace_back([find = read_pattern(part), content = json.get_string("content", std::nullopt)](
                           AlignedText& text) { replace(text, find, content); });
  } else if (type == "Prepend") {
    steps.emplace_back(
        [content = json.get_string("prepend", std::nullopt)](AlignedText& text) { prepend(text, content); });
  } else if (type == "BertNormalizer") {
    append_bert_steps(json, steps);
  } else {
    if (type == "Precompiled") {
      part.refuse(
          "the class T5Tokenizer and the model's spiece.model: tokenizers applies these rules unlike SentencePiece");
    }
    part.refuse("NFC, NFD, NFKC, NFKD, Lowercase, StripAccents, Strip, Replace, Prepend or BertNormalizer");
  }
}

}  // namespace

PipelineNormalizer::PipelineNormalizer(const JsonObject& file) {
  for (const PipelinePart& part : read_pipeline_parts(file, "normalizer", "normalizers", "normalizer")) {
    append_steps(part, steps_);
  }
}

std::string PipelineNormalizer::apply(std::string_view text) const {
  AlignedText aligned(text, 0);
  apply(aligned);
  return std::move(aligned.text);
}

}  // namespace roformer
