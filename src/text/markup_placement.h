// Mark-up of a text (markup.h) put into its translation. Every tag of the source is in the result once, and nested as
// there.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "text/markup.h"

namespace roformer {

// A token of the translation and what it translates, as bytes of the two texts.
struct AlignedToken {
  size_t begin = 0, end = 0;
  bool is_aligned = false;
  size_t source_begin = 0, source_end = 0;
};

// An element surrounds the words among which those that translate its text outnumber the others most, a point stands
// behind the word that translates the one before it, or, if it is joined to the next, before the word that translates
// that. The words of a sentence are its tokens joined between white space, punctuation and ideographs. `tokens` are in
// order. What `target` has of & < > becomes entities.
std::string place_markup(const MarkedText& source, std::string_view target, std::span<const AlignedToken> tokens);

}  // namespace roformer
