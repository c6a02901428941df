#include "text/sentencepiece/segmenter.h"

#include <algorithm>
#include <array>
#include <limits>
#include <queue>
#include <string>
#include <unordered_map>

#include "base/error.h"
#include "base/utf8.h"

namespace roformer {

namespace {

using Type = SentencePieceModel::Type;
constexpr int32_t kNone = -1;

// The pieces that text can be segmented into, at their ids; others are empty, which a trie skips.
std::vector<std::string> ordinary_pieces(const SentencePieceModel& model) {
  std::vector<std::string> pieces(model.pieces.size());
  for (size_t id = 0; id < pieces.size(); ++id) {
    const Type type = model.types[id];
    if (type == Type::normal || type == Type::user_defined || type == Type::unused) pieces[id] = model.pieces[id];
  }
  return pieces;
}

// Where the text's next word starts: at the next space that follows something else.
size_t next_word(std::string_view text) {
  size_t i = 0;
  while (text.substr(i).starts_with(kSentencePieceSpace)) i += kSentencePieceSpace.size();
  return std::min(text.size(), text.find(kSentencePieceSpace, i));
}

uint64_t pair_key(int32_t left, int32_t right) {
  return static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32 | static_cast<uint32_t>(right);
}

bool space_inside(const std::string& piece) { return next_word(piece) < piece.size(); }

}  // namespace

SentencePieceSegmenter::SentencePieceSegmenter(const SentencePieceModel& model,
                                               const SentencePieceNormalizer& normalizer)
    : model_(model), normalizer_(normalizer), trie_(ordinary_pieces(model)) {
  constexpr float kUnknownCost = 10;
  float worst = std::numeric_limits<float>::max();
  best_score_ = std::numeric_limits<float>::min();  // as in SentencePiece, although log scores are all below it
  for (size_t id = 0; id < model.pieces.size(); ++id) {
    if (model.types[id] != Type::normal) continue;
    worst = std::min(worst, model.scores[id]);
    best_score_ = std::max(best_score_, model.scores[id]);
  }
  unknown_score_ = model.double_sums ? static_cast<double>(worst) - static_cast<double>(kUnknownCost)
                                     : static_cast<double>(worst - kUnknownCost);
  words_apart_ = std::ranges::none_of(ordinary_pieces(model), space_inside);
  float score = 0;
  for (const auto& [left, right] : model.merges) {
    const int32_t id = find(model.pieces[static_cast<size_t>(left)] + model.pieces[static_cast<size_t>(right)]);
    if (id != kNone) merges_.emplace(pair_key(left, right), Merge{id, --score});
  }
}

SentencePieceSegmenter::Merge SentencePieceSegmenter::merged(std::string_view text, int32_t left, int32_t right) const {
  if (!model_.merges.empty()) {
    const auto found = merges_.find(pair_key(left, right));
    return found == merges_.end() ? Merge{} : found->second;
  }
  const int32_t id = find(text);
  return id == kNone ? Merge{} : Merge{id, model_.scores[static_cast<size_t>(id)]};
}

// Merges neighbors in a linked list of symbols.
class SentencePieceSegmenter::Merger {
 public:
  Merger(const SentencePieceSegmenter& segmenter, std::vector<Cut>& cuts) : segmenter_(segmenter), cuts_(cuts) {}

  // Segments text[begin, end).
  void run(std::string_view text, size_t begin, size_t end) {
    text_ = text.substr(0, end);
    symbols_.clear();
    halves_.clear();
    split(begin);

    for (int32_t i = 1; i < static_cast<int32_t>(symbols_.size()); ++i) add(i - 1, i);
    while (!agenda_.empty()) {
      const Pair pair = agenda_.top();
      agenda_.pop();
      Symbol& left = symbol(pair.left);
      Symbol& right = symbol(pair.right);
      if (left.size == 0 || right.size == 0 || left.size + right.size != pair.size) continue;  // stale
      left.size += right.size;
      left.id = pair.id;
      right.size = 0;
      left.next = right.next;
      if (left.next != kNone) symbol(left.next).previous = pair.left;
      add(left.previous, pair.left);
      add(pair.left, left.next);
    }
    for (int32_t i = symbols_.empty() ? kNone : 0; i != kNone; i = symbol(i).next) emit(symbol(i));
  }

 private:
  struct Symbol {
    int32_t previous, next;
    int32_t begin, size;  // bytes; size 0: merged into another
    int32_t id;           // of the piece, or kNone
    bool fixed;           // a user-defined piece
  };
  struct Pair {
    float score;
    int32_t left, right, size, id;
    // Lower priority.
    bool operator<(const Pair& other) const {
      return score < other.score || (score == other.score && left > other.left);
    }
  };

  Symbol& symbol(int32_t i) { return symbols_[static_cast<size_t>(i)]; }
  std::string_view view(int32_t begin, int32_t size) const {
    return text_.substr(static_cast<size_t>(begin), static_cast<size_t>(size));
  }

  void split(size_t begin) {
    for (size_t i = begin; i < text_.size();) {
      const size_t fixed = segmenter_.normalizer_.user_defined(text_.substr(i));
      const size_t size = fixed > 0 ? fixed : static_cast<size_t>(decode_utf8(text_.data() + i).length);
      const auto index = static_cast<int32_t>(symbols_.size());
      const int32_t id = segmenter_.find(text_.substr(i, size));
      symbols_.push_back({index - 1, index + 1, static_cast<int32_t>(i), static_cast<int32_t>(size), id, fixed > 0});
      i += size;
    }
    if (!symbols_.empty()) symbols_.back().next = kNone;
  }

  void add(int32_t left, int32_t right) {
    if (left == kNone || right == kNone || symbol(left).fixed || symbol(right).fixed) return;
    const int32_t begin = symbol(left).begin, size = symbol(left).size + symbol(right).size;
    const auto [id, score] = segmenter_.merged(view(begin, size), symbol(left).id, symbol(right).id);
    if (id == kNone) return;
    agenda_.push({score, left, right, size, id});
    // An unused piece is split again the way it was last merged.
    if (segmenter_.model_.type(id) == Type::unused) halves_[view(begin, size)] = symbol(left).size;
  }

  // Appends a symbol, splitting unused pieces.
  void emit(const Symbol& whole) {
    std::vector<std::array<int32_t, 2>> rest = {{whole.begin, whole.size}};
    while (!rest.empty()) {
      const auto [begin, size] = rest.back();
      rest.pop_back();
      const int32_t id = segmenter_.find(view(begin, size));
      const auto half =
          id != kNone && segmenter_.model_.type(id) == Type::unused ? halves_.find(view(begin, size)) : halves_.end();
      if (half == halves_.end()) {
        cuts_.push_back({begin, begin + size, id == kNone ? segmenter_.model_.unknown : id});
        continue;
      }
      const int32_t first = half->second;
      rest.push_back({begin + first, size - first});
      rest.push_back({begin, first});
    }
  }

  const SentencePieceSegmenter& segmenter_;
  std::vector<Cut>& cuts_;
  std::string_view text_;
  std::vector<Symbol> symbols_;
  std::priority_queue<Pair> agenda_;
  std::unordered_map<std::string_view, int32_t> halves_;  // of unused pieces: the size of the left one
};

void SentencePieceSegmenter::merge(std::string_view text, std::vector<Cut>& cuts) const {
  Merger merger(*this, cuts);
  if (!words_apart_) return merger.run(text, 0, text.size());
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = begin + next_word(text.substr(begin));
    merger.run(text, begin, end);
    begin = end;
  }
}

void SentencePieceSegmenter::best_path(std::string_view text, std::vector<Cut>& cuts) const {
  struct Node {  // the best path that ends here
    double score = 0;
    int32_t begin = kNone, id = kNone;
  };
  std::vector<Node> ends(text.size() + 1);
  const auto rounded = [&](double sum) {
    return model_.double_sums ? sum : static_cast<double>(static_cast<float>(sum));
  };
  const auto offer = [&](size_t begin, size_t end, double sum, int32_t id) {
    if (model_.rounds_before_comparing) sum = rounded(sum);
    Node& node = ends[end];
    if (node.begin == kNone || sum > node.score) node = {rounded(sum), static_cast<int32_t>(begin), id};
  };
  for (size_t begin = 0; begin < text.size();) {
    const auto length = static_cast<size_t>(decode_utf8(text.data() + begin).length);
    const double before = ends[begin].score;
    bool single = false;  // a piece of one character
    trie_.for_prefixes(text.substr(begin), [&](int32_t id, size_t size) {
      const Type type = model_.type(id);
      if (type == Type::unused) return;
      const double score = type == Type::user_defined
                               ? static_cast<double>(static_cast<float>(size) * best_score_) - 0.1
                               : static_cast<double>(model_.scores[static_cast<size_t>(id)]);
      offer(begin, begin + size, score + before, id);
      single = single || size == length;
    });
    if (!single) {
      offer(begin, begin + length, rounded(unknown_score_ + before), model_.unknown);
    }
    begin += length;
  }
  const auto first = std::ssize(cuts);
  for (auto end = static_cast<int32_t>(text.size()); end > 0;) {
    const Node& node = ends[static_cast<size_t>(end)];
    cuts.push_back({node.begin, end, node.id});
    end = node.begin;
  }
  std::reverse(cuts.begin() + first, cuts.end());
}

void SentencePieceSegmenter::cut_part(std::string_view text, std::vector<Cut>& cuts) const {
  return model_.kind == SentencePieceModel::Kind::bpe ? merge(text, cuts) : best_path(text, cuts);
}

std::vector<SentencePieceSegmenter::Cut> SentencePieceSegmenter::cut(std::string_view text) const {
  if (text.size() > static_cast<size_t>(std::numeric_limits<int32_t>::max())) {
    throw DataError("a text of {} bytes is too long, expected less than 2 GiB", text.size());
  }
  std::vector<Cut> cuts = cut_known(text);
  const auto is_unknown = [&](const Cut& cut) { return cut.id == model_.unknown; };
  if (std::ranges::none_of(cuts, is_unknown)) return cuts;
  const auto starts_word = [&](const Cut& cut) {
    return text.substr(static_cast<size_t>(cut.begin)).starts_with(kSentencePieceSpace);
  };
  std::vector<Cut> all;
  all.reserve(cuts.size());
  bool in_run = false;
  for (const Cut& cut : cuts) {
    const bool unknown = is_unknown(cut);
    if (unknown && model_.byte_fallback) {
      for (int32_t i = cut.begin; i < cut.end; ++i) {
        all.push_back({cut.begin, cut.end, model_.byte_ids[static_cast<unsigned char>(text[static_cast<size_t>(i)])]});
      }
    } else if (unknown && in_run && !(model_.words_alone && starts_word(cut))) {
      all.back().end = cut.end;
    } else {
      all.push_back(cut);
    }
    in_run = unknown;
  }
  return all;
}

std::vector<SentencePieceSegmenter::Cut> SentencePieceSegmenter::cut_known(std::string_view text) const {
  std::vector<Cut> cuts;
  if (!model_.words_alone) {
    cut_part(text, cuts);
    return cuts;
  }
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.size(), text.find(kSentencePieceSpace, begin + 1));
    const size_t first = cuts.size();
    cut_part(text.substr(begin, end - begin), cuts);
    for (size_t i = first; i < cuts.size(); ++i) {
      cuts[i].begin += static_cast<int32_t>(begin);
      cuts[i].end += static_cast<int32_t>(begin);
    }
    begin = end;
  }
  return cuts;
}

}  // namespace roformer
