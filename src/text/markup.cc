#include "text/markup.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>

#include "text/markup_entities.h"
#include "text/unicode.h"

namespace roformer {

namespace {

// HTML's elements without content.
constexpr std::array<std::string_view, 14> kVoid = {"area",  "base", "br",   "col",   "embed",  "hr",    "img",
                                                    "input", "link", "meta", "param", "source", "track", "wbr"};

// A run of text, or what is taken out of it.
struct MarkupPiece {
  enum class Kind { text, open, close, point };
  Kind kind;
  size_t begin, end;      // bytes of the line
  std::string name = {};  // of a tag, in lower case
  bool divides = false;   // a point with words on both sides divides them
  size_t partner = kNone;
  static constexpr size_t kNone = static_cast<size_t>(-1);
};

bool is_space_at(std::string_view line, size_t at) {
  return at < line.size() && ascii_kind(line[at]) == AsciiKind::space;
}

// Bytes of a comment, a declaration or an instruction that `text` begins with; 0 if none.
size_t special_length(std::string_view text) {
  using Form = std::pair<std::string_view, std::string_view>;
  for (const auto& [begin, end] : {Form{"<!--", "-->"}, Form{"<![CDATA[", "]]>"}, Form{"<?", "?>"}, Form{"<!", ">"}}) {
    if (!text.starts_with(begin)) continue;
    const size_t found = text.find(end, begin.size());
    return found == text.npos ? 0 : found + end.size();
  }
  return 0;
}

// The tag that begins at `at`, if one does.
std::optional<MarkupPiece> tag_at(std::string_view line, size_t at) {
  using Kind = MarkupPiece::Kind;
  const bool closes = at + 1 < line.size() && line[at + 1] == '/';
  size_t i = at + (closes ? 2 : 1);
  const auto is_name = [](char c) {
    return ascii_kind(c) == AsciiKind::letter || c == ':' || c == '-' || c == '_' || c == '.';
  };
  std::string name;
  while (i < line.size() && is_name(line[i])) name += line[i++];
  if (name.empty() || !(name[0] >= 'A' && name[0] <= 'z') || !(i < line.size())) return std::nullopt;
  if (line[i] != '>' && line[i] != '/' && !is_space_at(line, i)) return std::nullopt;
  for (char quote = 0; i < line.size(); ++i) {
    if (quote != 0) {
      if (line[i] == quote) quote = 0;
    } else if (line[i] == '"' || line[i] == '\'') {
      quote = line[i];
    } else if (line[i] == '<') {
      return std::nullopt;
    } else if (line[i] == '>') {
      std::ranges::transform(name, name.begin(),
                             [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
      const bool alone = !closes && line[i - 1] == '/';
      const bool divides = alone && name != "wbr";
      return MarkupPiece{closes ? Kind::close : alone ? Kind::point : Kind::open, at, i + 1, std::move(name), divides};
    }
  }
  return std::nullopt;
}

std::vector<MarkupPiece> pieces_of(std::string_view line) {
  using Kind = MarkupPiece::Kind;
  std::vector<MarkupPiece> pieces;
  size_t text = 0, at = 0;
  const auto take = [&](MarkupPiece piece) {
    if (text < piece.begin) pieces.push_back({Kind::text, text, piece.begin});
    text = at = piece.end;
    pieces.push_back(std::move(piece));
  };
  // A search for an end that there is none of is made once.
  bool comments_end = true;
  if (line.starts_with(">>")) {
    const size_t code = line.find("<<");
    if (code != line.npos) at = code + 2;
  }
  while (at < line.size()) {
    if (line[at] == '<') {
      if (auto tag = tag_at(line, at)) {
        take(std::move(*tag));
        continue;
      }
      const size_t length = comments_end ? special_length(line.substr(at)) : 0;
      if (length > 0) {
        take({Kind::point, at, at + length});
        continue;
      }
      if (line.substr(at).starts_with("<!") || line.substr(at).starts_with("<?")) comments_end = false;
    } else if (line[at] == '&') {
      const size_t length = entity_length(line.substr(at));
      if (length > 0 && !entity_character(line.substr(at, length))) {
        take({Kind::point, at, at + length});
        continue;
      }
    }
    ++at;
  }
  if (text < line.size()) pieces.push_back({Kind::text, text, line.size()});
  return pieces;
}

bool is_void(const std::string& name) { return std::ranges::find(kVoid, name) != kVoid.end(); }

// Finds the partners of tags. Those without become points; which, if they need one.
std::vector<size_t> match(std::vector<MarkupPiece>& pieces) {
  using Kind = MarkupPiece::Kind;
  std::vector<size_t> open, unmatched;
  std::unordered_map<std::string, size_t> count;  // of the open ones
  const auto alone = [&](size_t i) {
    MarkupPiece& piece = pieces[i];
    const bool proper = piece.kind == Kind::open && is_void(piece.name);
    piece.divides = proper && piece.name != "wbr";
    piece.kind = Kind::point;
    if (!proper) unmatched.push_back(i);
  };
  for (size_t i = 0; i < pieces.size(); ++i) {
    MarkupPiece& piece = pieces[i];
    if (piece.kind == Kind::open) {
      if (open.size() >= kMaxMarkupDepth) {
        alone(i);
        continue;
      }
      open.push_back(i);
      ++count[piece.name];
    } else if (piece.kind == Kind::close) {
      if (count[piece.name] == 0) {
        alone(i);
        continue;
      }
      for (bool found = false; !found; open.pop_back()) {
        MarkupPiece& last = pieces[open.back()];
        --count[last.name];
        found = last.name == piece.name;
        if (found) {
          last.partner = i;
          piece.partner = open.back();
        } else {
          alone(open.back());
        }
      }
    }
  }
  for (const size_t i : open) alone(i);
  std::ranges::sort(unmatched);
  return unmatched;
}

// Writes the text and the tree.
class MarkupReader {
 public:
  explicit MarkupReader(std::string_view line) : line_(line), pieces_(pieces_of(line)) {
    for (const size_t i : match(pieces_)) result_.unmatched.emplace_back(raw(pieces_[i]));
    next_text_.assign(pieces_.size() + 1, pieces_.size());
    next_word_ = next_text_;
    for (size_t i = pieces_.size(); i-- > 0;) {
      const bool text = pieces_[i].kind == MarkupPiece::Kind::text;
      next_text_[i] = text ? i : next_text_[i + 1];
      next_word_[i] = text && !is_blank(raw(pieces_[i])) ? i : next_word_[i + 1];
    }
  }

  MarkedText read() {
    result_.nodes = nodes(0, pieces_.size());
    return std::move(result_);
  }

 private:
  std::string_view raw(const MarkupPiece& piece) const { return line_.substr(piece.begin, piece.end - piece.begin); }
  bool after_space() const { return result_.text.empty() || result_.text.back() == ' '; }

  // What white space is around a tag is one space of the text.
  void append(std::string_view text) {
    for (size_t i = 0; i < text.size(); ++i) {
      if (is_space_at(text, i)) {
        if (!after_space()) result_.text += ' ';
        continue;
      }
      const size_t length = text[i] == '&' ? entity_length(text.substr(i)) : 0;
      const auto character = length > 0 ? entity_character(text.substr(i, length)) : std::nullopt;
      if (character) {
        append_utf8(result_.text, *character);
        i += length - 1;
      } else {
        result_.text += text[i];
      }
    }
  }

  // Whether white space, or nothing, stands behind the pieces up to `last`, tags left out.
  bool space_follows(size_t last) const {
    return next_text_[last] == pieces_.size() || is_space_at(line_, pieces_[next_text_[last]].begin);
  }

  std::vector<MarkupNode> nodes(size_t first, size_t last) {
    using Kind = MarkupPiece::Kind;
    std::vector<MarkupNode> nodes;
    for (size_t i = first; i < last; ++i) {
      const MarkupPiece& piece = pieces_[i];
      if (piece.kind == Kind::text) {
        append(raw(piece));
      } else if (piece.kind == Kind::point) {
        nodes.push_back(point(i, i + 1, piece.divides));
      } else {
        nodes.push_back(element(i));
        i = piece.partner;
      }
    }
    return nodes;
  }

  // What pieces `first` to `last` are in the line, as one.
  MarkupNode point(size_t first, size_t last, bool divides) {
    MarkupNode node{
        .open = std::string(line_.substr(pieces_[first].begin, pieces_[last - 1].end - pieces_[first].begin)),
        .close = {},
        .begin = result_.text.size(),
        .end = result_.text.size(),
        .space_before = after_space(),
        .space_after = space_follows(last)};
    if (divides && !node.space_before && !node.space_after) result_.text += ' ';
    return node;
  }

  MarkupNode element(size_t open) {
    const size_t close = pieces_[open].partner;
    if (next_word_[open] > close) return point(open, close + 1, false);
    MarkupNode node{.is_element = true,
                    .open = std::string(raw(pieces_[open])),
                    .close = std::string(raw(pieces_[close])),
                    .begin = result_.text.size(),
                    .end = 0};
    node.children = nodes(open + 1, close);
    node.end = result_.text.size();
    return node;
  }

  std::string_view line_;
  std::vector<MarkupPiece> pieces_;
  std::vector<size_t> next_text_, next_word_;  // from a piece on: the first text, and the first with a word
  MarkedText result_;
};

}  // namespace

MarkedText parse_markup(std::string_view line) { return MarkupReader(line).read(); }

void append_escaped(std::string_view text, std::string& markup) {
  for (const char c : text) {
    if (c == '&') {
      markup += "&amp;";
    } else if (c == '<') {
      markup += "&lt;";
    } else if (c == '>') {
      markup += "&gt;";
    } else {
      markup += c;
    }
  }
}

}  // namespace roformer
