// Lines with inline mark-up, <b>…</b>, <br/>, &amp;: the text without it, and the tags as a tree over that text, to be
// put into another text (markup_placement.h), such as its translation. HTML and XML alike; nothing is validated.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace roformer {

// An element with text, or a point in the text with a tag of its own.
struct MarkupNode {
  bool is_element = false;
  // As written. Of a point `open` is all: a self-closing tag, an element without text, a comment, an entity whose
  // character is not known, or a tag without its partner.
  std::string open, close;
  size_t begin = 0, end = 0;  // bytes of the text; of a point the same
  // Of a point: white space, or nothing, stands there.
  bool space_before = false, space_after = false;
  std::vector<MarkupNode> children = {};  // of an element, in order
};

struct MarkedText {
  std::string text;  // without tags, entities as their characters
  std::vector<MarkupNode> nodes;
  std::vector<std::string> unmatched;  // tags without a partner: they do not nest, or it is missing
};

// "<" and "&" that begin no tag and no entity are text. HTML's void elements (<br>, <img …>) need no partner. Elements
// that are nested deeper than kMaxMarkupDepth count as without a partner. A language code in front (">>deu<<") is text.
inline constexpr size_t kMaxMarkupDepth = 200;
MarkedText parse_markup(std::string_view line);

// Text as mark-up: & < > as entities.
void append_escaped(std::string_view text, std::string& markup);

}  // namespace roformer
