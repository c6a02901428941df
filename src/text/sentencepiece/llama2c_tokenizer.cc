#include "text/sentencepiece/llama2c_tokenizer.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <string_view>
#include <unordered_map>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/utf8.h"
#include "text/char_tokenizer.h"
#include "text/sentencepiece/tokenizer.h"
#include "text/vocabulary.h"

namespace roformer {

namespace {

using Type = SentencePieceModel::Type;
constexpr int32_t kFirstByte = 3, kFirstNormal = kFirstByte + 256;

class Llama2cReader {
 public:
  Llama2cReader(std::string_view file, const std::string& path) : file_(file), path_(path) {}

  size_t offset() const { return offset_; }
  bool at_end() const { return offset_ == file_.size(); }

  template <class... Values>
  [[noreturn]] void fail(size_t offset, fmt::format_string<Values...> text, Values&&... values) const {
    throw DataError("{}: byte {}: {}", FilePath(path_), offset, fmt::format(text, std::forward<Values>(values)...));
  }
  std::string_view read(size_t size, std::string_view what) {
    if (size > file_.size() - offset_) {
      fail(offset_, "the file ends within {}: expected {} bytes, found {}", what, size, file_.size() - offset_);
    }
    const auto bytes = file_.substr(offset_, size);
    offset_ += size;
    return bytes;
  }
  uint32_t word(std::string_view what) {
    const auto bytes = read(4, what);
    uint32_t value = 0;
    for (size_t i = 4; i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes[i]);
    return value;
  }

 private:
  std::string_view file_;
  const std::string& path_;
  size_t offset_ = 0;
};

std::string with_escaped_spaces(std::string_view text) {
  std::string piece;
  for (const char c : text) c == ' ' ? piece += kSentencePieceSpace : piece += c;
  return piece;
}

// Checks and adds the token of the next id.
void read_token(Llama2cReader& reader, uint32_t longest, SentencePieceModel& model) {
  const auto id = static_cast<int32_t>(model.pieces.size());
  const std::string what = fmt::format("token {}", id);
  const size_t start = reader.offset();
  const float score = std::bit_cast<float>(reader.word(what));
  if (!std::isfinite(score)) reader.fail(start, "the score of token {} is not finite", id);
  const uint32_t length = reader.word(what);
  if (length == 0 || length > longest) {
    reader.fail(start + 4, "token {} has a length of {}, expected 1 to {}, the longest length of the header", id,
                static_cast<int32_t>(length), longest);
  }
  std::string piece = with_escaped_spaces(reader.read(length, what));
  Type type = Type::normal;
  constexpr const char* kNames[] = {"<unk>", "<s>", "</s>"};
  if (id < kFirstByte) {  // <s> and </s> have line ends around them, which are dropped
    if (piece.find(kNames[id]) == piece.npos) {
      reader.fail(start + 8, "token {} is {}, expected {}", id, quote(piece), kNames[id]);
    }
    piece = kNames[id];
    type = id == 0 ? Type::unknown : Type::control;
  } else if (id < kFirstNormal) {
    const std::string expected = ByteTokenizer::byte_token(id - kFirstByte);
    if (piece != expected) reader.fail(start + 8, "token {} is {}, expected {}", id, quote(piece), expected);
    type = Type::byte;
  }
  if (find_invalid_utf8(piece) != kValidUtf8) reader.fail(start + 8, "token {} is not UTF-8", id);
  model.pieces.push_back(std::move(piece));
  model.scores.push_back(score);
  model.types.push_back(type);
}

SentencePieceModel read_model(Llama2cReader& reader, int64_t vocabulary) {
  SentencePieceModel model;
  model.kind = SentencePieceModel::Kind::bpe;
  model.byte_fallback = true;
  model.unknown = 0;
  model.begin = 1;
  model.end = 2;
  model.remove_extra_whitespaces = false;
  const uint32_t longest = reader.word("the longest length");
  if (longest == 0 || longest > static_cast<uint32_t>(kMaxSentencePieceBytes)) {
    reader.fail(0, "the longest token has {} bytes: not a tokenizer of llama2.c", static_cast<int32_t>(longest));
  }
  while (vocabulary > 0 ? std::ssize(model.pieces) < vocabulary : !reader.at_end()) {
    if (model.pieces.size() == kMaxTokens) reader.fail(reader.offset(), "more than {} tokens", kMaxTokens);
    read_token(reader, longest, model);
  }
  if (!reader.at_end()) {
    reader.fail(reader.offset(), "has data after {} tokens, the model's vocabulary size: it belongs to another model",
                vocabulary);
  }
  if (std::ssize(model.pieces) < kFirstNormal) {
    reader.fail(reader.offset(), "{} tokens only, expected at least <unk>, <s>, </s> and 256 bytes",
                model.pieces.size());
  }
  return model;
}

}  // namespace

std::map<std::string, std::string> read_llama2c_tokenizer(const std::string& path, int64_t vocabulary) {
  if (vocabulary < 0 || vocabulary > static_cast<int64_t>(kMaxTokens)) {
    throw DataError("{}: a vocabulary of {} tokens, expected at most {}", FilePath(path), vocabulary, kMaxTokens);
  }
  const std::string file = read_file(path, kMaxSentencePieceBytes);
  Llama2cReader reader(file, path);
  std::string bytes = write_sentencepiece_model(read_model(reader, vocabulary));
  SentencePieceModel model = parse_sentencepiece_model(bytes, path);  // rejects duplicate tokens
  SentencePieceSettings settings;
  settings.tokenizer_class = kLlamaTokenizerClass;
  settings.specials = {.pad = "</s>", .unk = "<unk>", .cls = "<s>", .sep = "</s>", .mask = ""};
  settings.special_template = {.cls = true, .sep = false, .repeat_cls = true};
  settings.legacy = true;
  Vocabulary pieces(model.pieces, path);
  return SentencePieceTokenizer(std::move(model), {std::move(bytes)}, std::move(pieces), std::move(settings), path)
      .files();
}

}  // namespace roformer
