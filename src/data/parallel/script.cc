#include "data/parallel/script.h"

#include <algorithm>
#include <array>

#include "base/utf8.h"
#include "text/unicode.h"

namespace roformer {

namespace {

struct Block {
  char32_t first, last;
  Script script;
};

// Blocks.txt of Unicode, in order.
constexpr Block kBlocks[] = {
    {0x41, 0x24F, Script::latin},          {0x250, 0x2AF, Script::latin},          {0x370, 0x3FF, Script::greek},
    {0x400, 0x52F, Script::cyrillic},      {0x530, 0x58F, Script::armenian},       {0x590, 0x5FF, Script::hebrew},
    {0x600, 0x6FF, Script::arabic},        {0x750, 0x77F, Script::arabic},         {0x8A0, 0x8FF, Script::arabic},
    {0x900, 0x97F, Script::devanagari},    {0x980, 0x9FF, Script::bengali},        {0xB80, 0xBFF, Script::tamil},
    {0xE00, 0xE7F, Script::thai},          {0x10A0, 0x10FF, Script::georgian},     {0x1100, 0x11FF, Script::hangul},
    {0x1C80, 0x1C8F, Script::cyrillic},    {0x1C90, 0x1CBF, Script::georgian},     {0x1E00, 0x1EFF, Script::latin},
    {0x1F00, 0x1FFF, Script::greek},       {0x2C60, 0x2C7F, Script::latin},        {0x2DE0, 0x2DFF, Script::cyrillic},
    {0x3005, 0x3007, Script::ideographic}, {0x3040, 0x30FF, Script::ideographic},  {0x3130, 0x318F, Script::hangul},
    {0x31F0, 0x31FF, Script::ideographic}, {0x3400, 0x9FFF, Script::ideographic},  {0xA640, 0xA69F, Script::cyrillic},
    {0xA720, 0xA7FF, Script::latin},       {0xAB30, 0xAB6F, Script::latin},        {0xAC00, 0xD7FF, Script::hangul},
    {0xF900, 0xFAFF, Script::ideographic}, {0xFB00, 0xFB06, Script::latin},        {0xFB1D, 0xFB4F, Script::hebrew},
    {0xFB50, 0xFDFF, Script::arabic},      {0xFE70, 0xFEFC, Script::arabic},       {0xFF21, 0xFF5A, Script::latin},
    {0xFF66, 0xFF9F, Script::ideographic}, {0x20000, 0x3FFFF, Script::ideographic}};

}  // namespace

Script script_of(char32_t c) {
  if (major_category(c) != 'L') return Script::none;
  const auto* const block = std::ranges::lower_bound(kBlocks, c, std::less(), &Block::last);
  return block != std::end(kBlocks) && c >= block->first ? block->script : Script::other;
}

Script script_of(std::string_view text) {
  std::array<int64_t, kScripts> letters{};
  for (size_t i = 0; i < text.size();) {
    const CodePoint c = decode_utf8(text.data() + i);
    i += static_cast<size_t>(c.length);
    ++letters[static_cast<size_t>(script_of(c.value))];
  }
  letters[static_cast<size_t>(Script::none)] = 0;
  const auto most = std::ranges::max_element(letters);
  return *most == 0 ? Script::none : static_cast<Script>(most - letters.begin());
}

}  // namespace roformer
