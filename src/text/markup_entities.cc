#include "text/markup_entities.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "text/unicode.h"

namespace roformer {

namespace {

constexpr std::array<std::pair<std::string_view, char32_t>, 24> kNamed = {
    {{"amp", U'&'},         {"lt", U'<'},          {"gt", U'>'},          {"quot", U'"'},        {"apos", U'\''},
     {"OElig", U'\u0152'},  {"oelig", U'\u0153'},  {"Scaron", U'\u0160'}, {"scaron", U'\u0161'}, {"Yuml", U'\u0178'},
     {"ndash", U'\u2013'},  {"mdash", U'\u2014'},  {"lsquo", U'\u2018'},  {"rsquo", U'\u2019'},  {"sbquo", U'\u201A'},
     {"ldquo", U'\u201C'},  {"rdquo", U'\u201D'},  {"bdquo", U'\u201E'},  {"bull", U'\u2022'},   {"hellip", U'\u2026'},
     {"lsaquo", U'\u2039'}, {"rsaquo", U'\u203A'}, {"euro", U'\u20AC'},   {"trade", U'\u2122'}}};

// Of U+00A0 to U+00FF.
constexpr char32_t kFirstLatin = 0xA0;
constexpr std::array<std::string_view, 96> kLatin = {
    "nbsp",   "iexcl",  "cent",   "pound",  "curren", "yen",    "brvbar", "sect",   "uml",    "copy",   "ordf",
    "laquo",  "not",    "shy",    "reg",    "macr",   "deg",    "plusmn", "sup2",   "sup3",   "acute",  "micro",
    "para",   "middot", "cedil",  "sup1",   "ordm",   "raquo",  "frac14", "frac12", "frac34", "iquest", "Agrave",
    "Aacute", "Acirc",  "Atilde", "Auml",   "Aring",  "AElig",  "Ccedil", "Egrave", "Eacute", "Ecirc",  "Euml",
    "Igrave", "Iacute", "Icirc",  "Iuml",   "ETH",    "Ntilde", "Ograve", "Oacute", "Ocirc",  "Otilde", "Ouml",
    "times",  "Oslash", "Ugrave", "Uacute", "Ucirc",  "Uuml",   "Yacute", "THORN",  "szlig",  "agrave", "aacute",
    "acirc",  "atilde", "auml",   "aring",  "aelig",  "ccedil", "egrave", "eacute", "ecirc",  "euml",   "igrave",
    "iacute", "icirc",  "iuml",   "eth",    "ntilde", "ograve", "oacute", "ocirc",  "otilde", "ouml",   "divide",
    "oslash", "ugrave", "uacute", "ucirc",  "uuml",   "yacute", "thorn",  "yuml"};

std::optional<char32_t> numbered(std::string_view digits) {
  const bool hexadecimal = digits.starts_with("x") || digits.starts_with("X");
  if (hexadecimal) digits.remove_prefix(1);
  uint32_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, hexadecimal ? 16 : 10);
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  constexpr uint32_t kLast = 0x10FFFF, kFirstSurrogate = 0xD800, kLastSurrogate = 0xDFFF;
  if (value > kLast || (value >= kFirstSurrogate && value <= kLastSurrogate)) return std::nullopt;
  if (is_control(value)) return std::nullopt;  // a line break would end the line
  return value;
}

}  // namespace

size_t entity_length(std::string_view text) {
  if (!text.starts_with("&")) return 0;
  constexpr size_t kLongest = 40;
  const size_t end = text.substr(0, kLongest).find(';');
  if (end == text.npos || end < 2) return 0;
  const auto is_inner = [](char c) { return ascii_kind(c) == AsciiKind::letter; };
  const std::string_view inner = text.substr(1, end - 1);
  const std::string_view name = inner.starts_with("#") ? inner.substr(1) : inner;
  if (name.empty() || !std::ranges::all_of(name, is_inner)) return 0;
  return end + 1;
}

std::optional<char32_t> entity_character(std::string_view entity) {
  const std::string_view name = entity.substr(1, entity.size() - 2);
  if (name.starts_with("#")) return numbered(name.substr(1));
  for (const auto& [known, character] : kNamed) {
    if (name == known) return character;
  }
  const auto found = std::ranges::find(kLatin, name);
  if (found == kLatin.end() || name == "shy") return std::nullopt;
  return kFirstLatin + static_cast<char32_t>(found - kLatin.begin());
}

}  // namespace roformer
