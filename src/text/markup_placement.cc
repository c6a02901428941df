#include "text/markup_placement.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <tuple>
#include <vector>

#include "base/utf8.h"
#include "text/unicode.h"

namespace roformer {

namespace {

// A word of the translation: tokens `first` to `last`.
struct TargetUnit {
  size_t begin, end;
  size_t first, last;
};

bool is_inner_mark(char32_t c) { return c == U'\'' || c == U'\u2019' || c == U'-'; }

// Scripts without spaces between words.
bool is_unspaced(char32_t c) {
  return is_cjk_ideograph(c) || (c >= 0x3040 && c <= 0x30FF) || (c >= 0x0E00 && c <= 0x0EFF) ||
         (c >= 0x1000 && c <= 0x109F) || (c >= 0x1780 && c <= 0x17FF);
}

bool stands_alone(char32_t c) {
  const char category = major_category(c);
  return is_unspaced(c) || ((category == 'P' || category == 'S') && !is_inner_mark(c));
}

char32_t first_character(std::string_view text) { return decode_utf8(text.data()).value; }

char32_t last_character(std::string_view text) {
  size_t at = text.size() - 1;
  while (!begins_code_point(text[at])) --at;
  return decode_utf8(text.data() + at).value;
}

std::vector<TargetUnit> units_of(std::string_view target, std::span<const AlignedToken> tokens) {
  std::vector<TargetUnit> units;
  for (size_t i = 0; i < tokens.size(); ++i) {
    const auto [begin, end] = std::pair(tokens[i].begin, tokens[i].end);
    if (begin == end) continue;
    const bool joined = !units.empty() && units.back().end == begin &&
                        !stands_alone(first_character(target.substr(begin))) &&
                        !stands_alone(last_character(target.substr(0, begin)));
    if (joined) {
      units.back().end = end;
      units.back().last = i;
    } else {
      units.push_back({begin, end, i, i});
    }
  }
  return units;
}

// A node at its place: units lo … hi − 1 of an element, a boundary lo = hi of a point and of an element without units.
struct PlacedNode {
  const MarkupNode* node;
  size_t order, lo, hi;
};

class MarkupPlacement {
 public:
  MarkupPlacement(const MarkedText& source, std::string_view target, std::span<const AlignedToken> tokens)
      : source_(source),
        text_end_(source.text.size() - (source.text.ends_with(' ') ? 1 : 0)),
        target_(target),
        tokens_(tokens),
        units_(units_of(target, tokens)) {}

  std::string write() {
    write_region(source_.nodes, 0, units_.size());
    append_escaped(target_.substr(written_), result_);
    return std::move(result_);
  }

 private:
  static constexpr size_t kNone = static_cast<size_t>(-1);

  // --- Where nodes go ---

  int64_t votes(const TargetUnit& unit, const MarkupNode& node) const {
    int64_t sum = 0;
    for (size_t i = unit.first; i <= unit.last; ++i) {
      const AlignedToken& token = tokens_[i];
      if (token.is_aligned) sum += token.source_begin < node.end && token.source_end > node.begin ? 1 : -1;
    }
    return sum;
  }

  // The units between lo and hi, none of them taken, whose votes have the largest sum above 0.
  std::optional<std::pair<size_t, size_t>> best_span(const MarkupNode& node, size_t lo, size_t hi,
                                                     const std::vector<bool>& taken) const {
    if (node.begin == 0 && node.end >= text_end_ && lo == 0 && hi == units_.size()) {
      return hi == 0 ? std::nullopt : std::optional(std::pair(lo, hi));
    }
    int64_t best = 0, sum = 0;
    std::optional<std::pair<size_t, size_t>> span;
    size_t begin = lo;
    for (size_t i = lo; i < hi; ++i) {
      if (taken[i - lo] || sum <= 0) {
        sum = 0;
        begin = i;
      }
      if (taken[i - lo]) continue;
      sum += votes(units_[i], node);
      if (sum > best) {
        best = sum;
        span = {begin, i + 1};
      }
    }
    return span;
  }

  // Begins of the tokens that are next to byte `at` of the source, of those that something is aligned to.
  std::pair<size_t, size_t> neighbors(size_t at) const {
    size_t before = kNone, after = kNone;
    for (const AlignedToken& token : tokens_) {
      if (!token.is_aligned) continue;
      if (token.source_begin < at) {
        if (before == kNone || token.source_begin > before) before = token.source_begin;
      } else if (after == kNone || token.source_begin < after) {
        after = token.source_begin;
      }
    }
    return {before, after};
  }

  bool translates(const TargetUnit& unit, size_t source_begin) const {
    for (size_t i = unit.first; i <= unit.last; ++i) {
      if (tokens_[i].is_aligned && tokens_[i].source_begin == source_begin) return true;
    }
    return false;
  }

  // The boundary for a point: of those beside its neighbor's translation, else of all, that which parts what comes
  // before it in the source best from what comes after it. `inside`: boundaries that are within other nodes.
  size_t boundary(const MarkupNode& node, size_t lo, size_t hi, const std::vector<bool>& inside) const {
    if (node.begin == 0 && lo == 0) return lo;
    if (node.begin >= text_end_ && hi == units_.size()) return hi;
    const auto [before, after] = neighbors(node.begin);
    const bool leads = node.space_before && !node.space_after;
    const bool by_next = after != kNone && (leads || before == kNone);
    int64_t wrong = 0;  // tokens on the wrong side of the boundary, but for a constant
    std::tuple<bool, bool, int64_t, size_t> best{true, true, std::numeric_limits<int64_t>::max(), lo};
    for (size_t at = lo; at <= hi; ++at) {
      if (at > lo) wrong += sides(units_[at - 1], node.begin);
      const bool beside = by_next ? at < hi && translates(units_[at], after)
                                  : at > lo && before != kNone && translates(units_[at - 1], before);
      best = std::min(best, std::tuple(static_cast<bool>(inside[at - lo]), !beside, wrong, at));
    }
    return std::get<size_t>(best);
  }

  // How many more tokens of a unit come after byte `at` of the source than before it.
  int64_t sides(const TargetUnit& unit, size_t at) const {
    int64_t sum = 0;
    for (size_t i = unit.first; i <= unit.last; ++i) {
      if (tokens_[i].is_aligned) sum += tokens_[i].source_begin < at ? -1 : 1;
    }
    return sum;
  }

  std::vector<PlacedNode> place(const std::vector<MarkupNode>& nodes, size_t lo, size_t hi) const {
    std::vector<PlacedNode> placed;
    std::vector<bool> taken(hi - lo), inside(hi - lo + 1);
    for (size_t order = 0; order < nodes.size(); ++order) {
      if (!nodes[order].is_element) continue;
      const auto span = best_span(nodes[order], lo, hi, taken);
      if (!span) continue;
      placed.push_back({&nodes[order], order, span->first, span->second});
      for (size_t i = span->first; i < span->second; ++i) taken[i - lo] = true;
      for (size_t i = span->first + 1; i < span->second; ++i) inside[i - lo] = true;
    }
    std::vector<bool> has_place(nodes.size());
    for (const PlacedNode& one : placed) has_place[one.order] = true;
    for (size_t order = 0; order < nodes.size(); ++order) {
      if (has_place[order]) continue;
      const size_t at = boundary(nodes[order], lo, hi, inside);
      placed.push_back({&nodes[order], order, at, at});
    }
    // At one boundary points stand before what begins there.
    std::ranges::sort(placed, {}, [](const PlacedNode& one) { return std::tuple(one.lo, one.hi > one.lo, one.order); });
    return placed;
  }

  // --- Writing ---

  void write_text_to(size_t end) {
    if (end <= written_) return;
    append_escaped(target_.substr(written_, end - written_), result_);
    written_ = end;
  }

  // Before unit `at`, if it is of the region that ends at `hi`: behind the white space there.
  void write_point(const MarkupNode& node, size_t at, size_t hi) {
    if (node.space_before && at < hi) write_text_to(units_[at].begin);
    const bool spaced = result_.empty() || result_.back() == ' ';
    if (node.space_before && node.space_after && node.begin > 0 && !spaced) result_ += ' ';
    result_ += node.open;
    if (node.space_before && node.space_after && at < hi) result_ += ' ';
  }

  void write_region(const std::vector<MarkupNode>& nodes, size_t lo, size_t hi) {
    for (const PlacedNode& one : place(nodes, lo, hi)) {
      if (one.lo > lo) write_text_to(units_[one.lo - 1].end);
      if (!one.node->is_element) {
        write_point(*one.node, one.lo, hi);
        continue;
      }
      if (one.hi > one.lo) write_text_to(units_[one.lo].begin);
      result_ += one.node->open;
      write_region(one.node->children, one.lo, one.hi);
      if (one.hi > one.lo) write_text_to(units_[one.hi - 1].end);
      result_ += one.node->close;
    }
  }

  const MarkedText& source_;
  size_t text_end_;  // without a space at the end
  std::string_view target_;
  std::span<const AlignedToken> tokens_;
  std::vector<TargetUnit> units_;
  size_t written_ = 0;  // bytes of target_
  std::string result_;
};

}  // namespace

std::string place_markup(const MarkedText& source, std::string_view target, std::span<const AlignedToken> tokens) {
  return MarkupPlacement(source, target, tokens).write();
}

}  // namespace roformer
