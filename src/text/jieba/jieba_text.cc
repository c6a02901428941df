#include "text/jieba/jieba_text.h"

#include <algorithm>
#include <array>

#include "text/normalizer.h"

namespace roformer {

namespace {

constexpr char32_t kSigma = 0x3C3;

JiebaText lower(std::string_view text, int64_t first, bool lowercase, bool with_origins) {
  JiebaText result;
  int64_t origin = first;
  for (size_t i = 0; i < text.size(); ++origin) {
    const CodePoint c = decode_utf8(text.data() + i);
    i += static_cast<size_t>(c.length);
    std::array<char32_t, 2> letters = {c.value};
    const int count = lowercase ? to_lower(c.value, letters.data()) : 1;
    for (int j = 0; j < count; ++j) {
      result.code_points.push_back(letters[static_cast<size_t>(j)]);
      if (with_origins) result.origins.push_back(origin);
    }
  }
  return result;
}

}  // namespace

JiebaText normalize_for_jieba(std::string_view text, int64_t first, const WordPieceOptions& options, JiebaMode mode,
                              bool with_origins) {
  const bool as_it_is = mode == JiebaMode::bert4keras && !options.lowercase;
  if (mode == JiebaMode::slow || as_it_is) return lower(text, first, options.lowercase, with_origins);
  JiebaText result;
  result.code_points.reserve(text.size() / 2);
  const bool bert4keras = mode == JiebaMode::bert4keras;
  const std::vector<size_t> sigmas = bert4keras ? final_sigmas(to_code_points(text)) : std::vector<size_t>();
  auto sink = [&](char32_t c, int64_t origin) {
    if (c == kSigma && std::ranges::binary_search(sigmas, static_cast<size_t>(origin - first))) c = kFinalSigma;
    result.code_points.push_back(c);
    if (with_origins) result.origins.push_back(origin);
  };
  Normalization normalization = options.normalization();
  normalization.separate_cjk = false;
  if (bert4keras) normalization = {.lowercase = true, .strip_accents = true, .separate_cjk = false, .as_python = true};
  Normalizer<decltype(sink)> normalizer(normalization, sink);
  normalizer.run(text, first);
  return result;
}

UnknownPart unknown_part(char32_t c, const WordPieceOptions& options, JiebaMode mode) {
  const bool isolates = mode != JiebaMode::slow || options.separate_cjk;
  if (mode == JiebaMode::fast ? bert::is_cjk_ideograph(c) : is_cjk_ideograph(c))
    return isolates ? UnknownPart::alone : UnknownPart::inside;
  if (mode == JiebaMode::fast) return is_whitespace(c) ? UnknownPart::separator : UnknownPart::inside;
  if (is_punctuation(c)) return UnknownPart::alone;
  if (is_whitespace(c)) return UnknownPart::separator;
  // bert4keras drops Cc and Cf; Python's BasicTokenizer every category C, the unassigned code points included.
  const bool dropped = c == 0xFFFD || (mode == JiebaMode::slow ? is_other(c) : is_control(c) && !is_private_use(c));
  return dropped ? UnknownPart::dropped : UnknownPart::inside;
}

int spell_unknown(char32_t c, const WordPieceOptions& options, JiebaMode mode, char32_t* out) {
  out[0] = c;
  if (mode != JiebaMode::slow || c < 0x80) return 1;
  if (!options.normalization().strip_accents) return compose_alone(c, out);
  const int count = decompose(c, out);
  return static_cast<int>(std::remove_if(out, out + count, is_nonspacing_mark) - out);
}

}  // namespace roformer
