#include "text/pipeline/bpe_model.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <optional>
#include <queue>
#include <unordered_map>

#include "base/error.h"
#include "base/utf8.h"
#include "text/added_tokens.h"
#include "text/token_trie.h"
#include "text/vocabulary.h"

namespace roformer {

namespace {

constexpr int32_t kEnd = -1;

uint64_t merge_key(int32_t left, int32_t right) {
  return static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32 | static_cast<uint32_t>(right);
}

class BpeModel : public PipelineModel {
 public:
  BpeModel(const JsonObject& json, const std::vector<std::string>& tokens)
      : trie_(tokens),
        prefix_(json.get_string("continuing_subword_prefix", "")),
        suffix_(json.get_string("end_of_word_suffix", "")),
        fuses_unknown_(json.get_bool("fuse_unk", false)),
        ignores_merges_(json.get_bool("ignore_merges", false)) {
    if (json.get_double("dropout", 0) != 0) json.reject("dropout", "none: it draws at random");
    if (json.has("unk_token")) {
      unknown_token_ = json.get_string("unk_token", {});
      unknown_ = find(unknown_token_);
      if (unknown_ == TokenTrie::kNone) json.reject("unk_token", "a token of the vocabulary");
    }
    if (json.get_bool("byte_fallback", false)) {
      for (size_t byte = 0; byte < byte_ids_.size(); ++byte) byte_ids_[byte] = find(fmt::format("<0x{:02X}>", byte));
      has_bytes_ = true;
    }
    read_merges(json);
  }

  void cut(std::string_view word, std::vector<Piece>& pieces) const override {
    if (ignores_merges_) {
      if (const int32_t id = find(word); id != TokenTrie::kNone) {
        pieces.push_back({id, 0, word.size()});
        return;
      }
    }
    std::vector<Symbol> symbols;
    append_symbols(word, symbols);
    merge(symbols);
    size_t begin = 0;
    for (const Symbol& symbol : symbols) {
      if (symbol.size == 0) continue;
      pieces.push_back({symbol.id, begin, begin + symbol.size});
      begin += symbol.size;
    }
  }

  std::string_view type() const override { return "bpe"; }
  bool is_continuation(std::string_view token) const override {
    return !prefix_.empty() && token.size() > prefix_.size() && token.starts_with(prefix_);
  }
  const std::string& unknown_token() const override { return unknown_token_; }

 private:
  struct Symbol {
    int32_t id;
    size_t size;  // bytes; 0: merged into the one before
    int32_t previous = kEnd, next = kEnd;
  };
  struct Merge {
    uint32_t rank = 0;
    int32_t id = 0;
  };
  struct Candidate {
    Merge merge;
    int32_t left;
    // Lower priority.
    bool operator<(const Candidate& other) const {
      return merge.rank != other.merge.rank ? merge.rank > other.merge.rank : left > other.left;
    }
  };

  int32_t find(std::string_view token) const {
    const auto match = trie_.longest(TokenTrie::kRoot, token);
    return match.length == token.size() ? match.token : TokenTrie::kNone;
  }

  void read_merges(const JsonObject& json) {
    if (!json.has("merges") || !json.value()["merges"].is_array()) json.reject("merges", "an array of pairs of tokens");
    const Json& entries = json.value()["merges"];
    if (entries.size() > kMaxTokens)
      throw DataError("{}: {} merges, expected at most {}", json.source(), entries.size(), kMaxTokens);
    merges_.reserve(entries.size());
    uint32_t rank = 0;
    for (const Json& entry : entries) {
      const auto [left, right] = read_merge(entry, FilePath(json.source()));
      const bool whole = right.size() >= prefix_.size();
      const int32_t a = find(left), b = find(right);
      const int32_t merged = whole ? find(left + right.substr(prefix_.size())) : TokenTrie::kNone;
      if (a == TokenTrie::kNone || b == TokenTrie::kNone || merged == TokenTrie::kNone) {
        throw DataError("{}: the merge {} does not join two tokens into a third of the vocabulary", json.source(),
                        show_json(entry));
      }
      merges_.insert_or_assign(merge_key(a, b), Merge{rank++, merged});
    }
  }

  static void append_symbol(int32_t id, size_t size, std::vector<Symbol>& symbols) {
    const auto index = static_cast<int32_t>(symbols.size());
    if (!symbols.empty()) symbols.back().next = index;
    symbols.push_back({id, size, index - 1, kEnd});
  }

  // The characters of a word.
  void append_symbols(std::string_view word, std::vector<Symbol>& symbols) const {
    std::optional<size_t> unknown;  // bytes of unknown characters not appended yet
    const auto flush = [&] {
      if (unknown) append_symbol(unknown_, *unknown, symbols);
      unknown.reset();
    };
    std::string marked;
    for (size_t i = 0, size = 0; i < word.size(); i += size) {
      size = static_cast<size_t>(decode_utf8(word.data() + i).length);
      std::string_view character = word.substr(i, size);
      const bool first = i == 0, last = i + size == word.size();
      if ((!first && !prefix_.empty()) || (last && !suffix_.empty())) {
        marked.assign(first ? "" : prefix_).append(character).append(last ? suffix_ : "");
        character = marked;
      }
      if (const int32_t id = find(character); id != TokenTrie::kNone) {
        flush();
        append_symbol(id, size, symbols);
      } else if (has_bytes_ && has_all_bytes(character)) {
        for (const char byte : character) append_symbol(byte_ids_[static_cast<unsigned char>(byte)], 1, symbols);
      } else if (unknown_ != TokenTrie::kNone) {
        if (!fuses_unknown_) flush();
        unknown = unknown.value_or(0) + size;
      }
    }
    flush();
  }

  bool has_all_bytes(std::string_view character) const {
    return std::ranges::all_of(
        character, [&](char byte) { return byte_ids_[static_cast<unsigned char>(byte)] != TokenTrie::kNone; });
  }

  const Merge* merge_of(const Symbol& left, const Symbol& right) const {
    const auto found = merges_.find(merge_key(left.id, right.id));
    return found == merges_.end() ? nullptr : &found->second;
  }

  void merge(std::vector<Symbol>& symbols) const {
    const auto at = [&](int32_t i) -> Symbol& { return symbols[static_cast<size_t>(i)]; };
    std::priority_queue<Candidate> candidates;
    const auto offer = [&](int32_t left) {
      if (left == kEnd || at(left).next == kEnd) return;
      if (const Merge* merge = merge_of(at(left), at(at(left).next))) candidates.push({*merge, left});
    };
    for (int32_t i = 0; i + 1 < static_cast<int32_t>(symbols.size()); ++i) offer(i);
    while (!candidates.empty()) {
      const Candidate candidate = candidates.top();
      candidates.pop();
      Symbol& left = at(candidate.left);
      if (left.size == 0 || left.next == kEnd) continue;
      Symbol& right = at(left.next);
      const Merge* merge = merge_of(left, right);
      if (merge == nullptr || merge->id != candidate.merge.id) continue;  // one of them has changed
      left.id = merge->id;
      left.size += right.size;
      left.next = right.next;
      right.size = 0;
      if (left.next != kEnd) at(left.next).previous = candidate.left;
      offer(left.previous);
      offer(candidate.left);
    }
  }

  TokenTrie trie_;
  std::string prefix_, suffix_, unknown_token_;
  bool fuses_unknown_, ignores_merges_, has_bytes_ = false;
  int32_t unknown_ = TokenTrie::kNone;
  std::array<int32_t, 256> byte_ids_{};
  std::unordered_map<uint64_t, Merge> merges_;
};

}  // namespace

std::unique_ptr<PipelineModel> read_bpe_model(const JsonObject& model, const std::vector<std::string>& tokens) {
  return std::make_unique<BpeModel>(model, tokens);
}

}  // namespace roformer
