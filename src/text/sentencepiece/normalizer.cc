#include "text/sentencepiece/normalizer.h"

#include "base/error.h"
#include "base/utf8.h"

namespace roformer {

namespace {

constexpr size_t kUnitBytes = 4, kMaxReplacement = 1024;

uint32_t read_unit(std::string_view bytes) {
  uint32_t value = 0;
  for (size_t i = kUnitBytes; i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes[i]);
  return value;
}

std::vector<std::string> user_defined_pieces(const SentencePieceModel& model) {
  std::vector<std::string> pieces;
  for (size_t id = 0; id < model.pieces.size(); ++id) {
    if (model.types[id] == SentencePieceModel::Type::user_defined) pieces.push_back(model.pieces[id]);
  }
  return pieces;
}

}  // namespace

// Appends pieces, escaping spaces.
class SentencePieceNormalizer::Writer {
 public:
  Writer(bool escape, bool with_origins) : space_(escape ? kSentencePieceSpace : " "), with_origins_(with_origins) {}

  void append(std::string_view text, int32_t origin) {
    for (const char c : text) {
      if (c == ' ') {
        append_space(origin);
      } else {
        push(c, origin);
      }
    }
  }
  void append_space(int32_t origin) {
    for (const char c : space_) push(c, origin);
  }
  // Drops trailing spaces; `origin` becomes that of the first one.
  void drop_spaces(int32_t& origin) {
    while (result_.text.ends_with(space_)) {
      result_.text.resize(result_.text.size() - space_.size());
      if (!with_origins_) continue;
      origin = result_.origins[result_.text.size()];
      result_.origins.resize(result_.text.size());
    }
  }
  NormalizedText finish(int32_t origin) {
    if (with_origins_) result_.origins.push_back(origin);
    return std::move(result_);
  }

 private:
  void push(char byte, int32_t origin) {
    result_.text.push_back(byte);
    if (with_origins_) result_.origins.push_back(origin);
  }

  std::string_view space_;
  bool with_origins_;
  NormalizedText result_;
};

SentencePieceNormalizer::SentencePieceNormalizer(const SentencePieceModel& model, std::string_view where)
    : where_(where),
      rules_(model.rules),
      add_dummy_prefix_(model.add_dummy_prefix),
      prefix_before_space_(model.prefix_before_space),
      remove_extra_whitespaces_(model.remove_extra_whitespaces),
      escape_whitespaces_(model.escape_whitespaces),
      user_defined_(user_defined_pieces(model)) {
  if (rules_.empty()) return;
  const std::string_view rules = rules_;
  if (rules.size() <= kUnitBytes) fail();
  const size_t trie_bytes = read_unit(rules);
  if (trie_bytes >= rules.size() - kUnitBytes || trie_bytes < kUnitBytes || trie_bytes % kUnitBytes != 0) fail();
  trie_ = rules.substr(kUnitBytes, trie_bytes);
  texts_ = rules.substr(kUnitBytes + trie_bytes);
  if (texts_.back() != '\0') fail();
}

void SentencePieceNormalizer::fail() const {
  throw DataError("{}: the table of normalization rules (precompiled_charsmap) is damaged", FilePath(where_));
}

uint32_t SentencePieceNormalizer::unit(size_t index) const {
  if (index >= trie_.size() / kUnitBytes) fail();
  return read_unit(trie_.substr(index * kUnitBytes));
}

std::string_view SentencePieceNormalizer::replacement(uint32_t offset) const {
  if (offset >= texts_.size()) fail();
  const std::string_view text = texts_.substr(offset, texts_.find('\0', offset) - offset);
  if (text.size() > kMaxReplacement || find_invalid_utf8(text) != kValidUtf8) fail();
  return text;
}

SentencePieceNormalizer::Piece SentencePieceNormalizer::next(std::string_view text) const {
  if (const size_t size = user_defined(text); size > 0) return {text.substr(0, size), size};
  const auto alone = static_cast<size_t>(decode_utf8(text.data()).length);
  if (trie_.empty()) return {text.substr(0, alone), alone};
  const auto step = [](uint32_t u) { return static_cast<size_t>(u >> 10) << ((u & (1u << 9)) >> 6); };
  constexpr uint32_t kLabel = 1u << 31 | 0xFF, kHasValue = 1u << 8, kValue = (1u << 31) - 1;
  size_t index = step(unit(0)), found = 0;
  uint32_t offset = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    index ^= byte;
    const uint32_t here = unit(index);
    if ((here & kLabel) != byte) break;
    index ^= step(here);
    if ((here & kHasValue) == 0) continue;
    offset = unit(index) & kValue;
    found = i + 1;
  }
  if (found == 0) return {text.substr(0, alone), alone};
  if (found < text.size() && (static_cast<unsigned char>(text[found]) & 0xC0) == 0x80) fail();  // within a character
  return {replacement(offset), found};
}

NormalizedText SentencePieceNormalizer::normalize(std::string_view text, bool prefix, bool with_origins) const {
  Writer writer(escape_whitespaces_, with_origins);
  int32_t origin = 0;
  const auto advance = [&](size_t bytes) {
    if (with_origins) origin += static_cast<int32_t>(count_code_points(text.substr(0, bytes)));
    text.remove_prefix(bytes);
  };
  while (remove_extra_whitespaces_ && !text.empty()) {
    const Piece piece = next(text);
    if (piece.text != " ") break;
    advance(piece.length);
  }
  if (text.empty()) return writer.finish(origin);
  const bool spaced = text.starts_with(' ') || text.starts_with(kSentencePieceSpace);
  if (prefix && add_dummy_prefix_ && (prefix_before_space_ || !spaced)) writer.append_space(origin);
  bool after_space = remove_extra_whitespaces_;
  while (!text.empty()) {
    Piece piece = next(text);
    while (after_space && piece.text.starts_with(' ')) piece.text.remove_prefix(1);
    if (!piece.text.empty()) {
      writer.append(piece.text, origin);
      after_space = remove_extra_whitespaces_ && piece.text.ends_with(' ');
    }
    advance(piece.length);
  }
  if (remove_extra_whitespaces_) writer.drop_spaces(origin);
  return writer.finish(origin);
}

}  // namespace roformer
