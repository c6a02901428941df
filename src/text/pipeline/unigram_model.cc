#include "text/pipeline/unigram_model.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/utf8.h"
#include "text/token_trie.h"
#include "text/vocabulary.h"

namespace roformer {

namespace {

constexpr double kUnknownPenalty = 10;

class UnigramModel : public PipelineModel {
 public:
  UnigramModel(const JsonObject& json, const std::vector<std::string>& tokens, std::vector<double> scores)
      : trie_(tokens), scores_(std::move(scores)), source_(json.source()) {
    if (json.has("unk_id")) {
      unknown_ = static_cast<int32_t>(json.get_int("unk_id", {}, 0, std::ssize(scores_) - 1));
      unknown_token_ = tokens[static_cast<size_t>(unknown_)];
    }
    has_bytes_ = json.get_bool("byte_fallback", false);
    for (size_t byte = 0; byte < byte_ids_.size(); ++byte) byte_ids_[byte] = find(fmt::format("<0x{:02X}>", byte));
    unknown_score_ = *std::ranges::min_element(scores_) - kUnknownPenalty;
  }

  void cut(std::string_view word, std::vector<Piece>& pieces) const override {
    const std::vector<Node> ends = best_paths(word);
    const size_t before = pieces.size();
    for (size_t end = word.size(); end > 0; end = ends[end].begin) {
      const Node& node = ends[end];
      if (node.id == unknown_ && pieces.size() > before && pieces.back().id == unknown_) {
        pieces.back().begin = node.begin;  // unknown characters in a row are one piece
      } else {
        pieces.push_back({node.id, node.begin, end});
      }
    }
    std::reverse(pieces.begin() + static_cast<std::ptrdiff_t>(before), pieces.end());
    if (std::any_of(pieces.begin() + static_cast<std::ptrdiff_t>(before), pieces.end(),
                    [&](const Piece& piece) { return piece.id == unknown_; })) {
      name_unknown(word, before, pieces);
    }
  }

  std::string_view type() const override { return "unigram"; }
  bool is_continuation(std::string_view) const override { return false; }
  const std::string& unknown_token() const override { return unknown_token_; }

 private:
  struct Node {  // the best path that ends here
    double score = 0;
    size_t begin = 0;
    int32_t id = TokenTrie::kNone;
    bool reached = false;
  };

  int32_t find(std::string_view piece) const {
    const auto match = trie_.longest(TokenTrie::kRoot, piece);
    return match.length == piece.size() ? match.token : TokenTrie::kNone;
  }

  std::vector<Node> best_paths(std::string_view word) const {
    std::vector<Node> ends(word.size() + 1);
    const auto offer = [&](size_t begin, size_t end, double score, int32_t id) {
      if (!ends[end].reached || score > ends[end].score) ends[end] = {score, begin, id, true};
    };
    for (size_t begin = 0; begin < word.size();) {
      const auto length = static_cast<size_t>(decode_utf8(word.data() + begin).length);
      const double score = ends[begin].score;
      bool has_character = false;  // a piece of one character
      trie_.for_prefixes(word.substr(begin), [&](int32_t id, size_t size) {
        offer(begin, begin + size, scores_[static_cast<size_t>(id)] + score, id);
        has_character = has_character || size == length;
      });
      if (!has_character) offer(begin, begin + length, unknown_score_ + score, require_unknown());
      begin += length;
    }
    return ends;
  }

  int32_t require_unknown() const {
    if (unknown_ == TokenTrie::kNone) {
      throw DataError("{}: a character has no piece and '{}' is null, expected the id of an unknown token", source_,
                      KeyName("unk_id"));
    }
    return unknown_;
  }

  // What stands for unknown characters: a piece of them all, else their bytes, else the unknown token.
  void name_unknown(std::string_view word, size_t before, std::vector<Piece>& pieces) const {
    const std::vector<Piece> cuts(pieces.begin() + static_cast<std::ptrdiff_t>(before), pieces.end());
    pieces.resize(before);
    for (const Piece& cut : cuts) {
      const std::string_view text = word.substr(cut.begin, cut.end - cut.begin);
      const int32_t whole = cut.id == unknown_ ? find(text) : cut.id;
      if (whole != TokenTrie::kNone) {
        pieces.push_back({whole, cut.begin, cut.end});
      } else if (has_bytes_ && std::ranges::all_of(text, [&](char byte) { return id_of(byte) != TokenTrie::kNone; })) {
        for (const char byte : text) pieces.push_back({id_of(byte), cut.begin, cut.end});
      } else {
        pieces.push_back(cut);
      }
    }
  }

  int32_t id_of(char byte) const { return byte_ids_[static_cast<unsigned char>(byte)]; }

  TokenTrie trie_;
  std::vector<double> scores_;
  std::string source_, unknown_token_;
  std::array<int32_t, 256> byte_ids_{};
  double unknown_score_ = 0;
  int32_t unknown_ = TokenTrie::kNone;
  bool has_bytes_ = false;
};

}  // namespace

std::unique_ptr<PipelineModel> read_unigram_model(const JsonObject& model, std::vector<std::string>& tokens) {
  if (!model.has("vocab") || !model.value()["vocab"].is_array()) {
    model.reject("vocab", "an array of pieces and scores");
  }
  const Json& entries = model.value()["vocab"];
  if (entries.empty() || entries.size() > kMaxTokens) {
    throw DataError("{}: {} pieces, expected 1 to {}", model.source(), entries.size(), kMaxTokens);
  }
  std::vector<double> scores;
  for (const Json& entry : entries) {
    if (!entry.is_array() || entry.size() != 2 || !entry[0].is_string() || !entry[1].is_number()) {
      throw DataError("{}: {} is not a piece with a score", model.source(), show_json(entry));
    }
    tokens.push_back(entry[0].get<std::string>());
    scores.push_back(entry[1].get<double>());
  }
  return std::make_unique<UnigramModel>(model, tokens, std::move(scores));
}

}  // namespace roformer
