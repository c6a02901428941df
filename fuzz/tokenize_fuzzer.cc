// Any text through the tokenizer selected by byte 0: offsets must slice the text, and bytes round-trip.
#include "fuzz/fuzz.h"
#include "text/char_tokenizer.h"
#include "text/jieba/jieba_tokenizer.h"

namespace roformer::fuzz {

namespace {

std::vector<std::string> special_tokens() { return {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"}; }

Vocabulary byte_vocabulary() {
  std::vector<std::string> tokens = special_tokens();
  for (int byte = 0; byte < 256; ++byte) tokens.push_back(ByteTokenizer::byte_token(byte));
  return Vocabulary(std::move(tokens), "bytes");
}

Vocabulary piece_vocabulary() {
  std::vector<std::string> tokens = special_tokens();
  for (char c = '!'; c <= '~'; ++c) {
    tokens.push_back(std::string(1, c));
    tokens.push_back("##" + std::string(1, c));
  }
  tokens.insert(tokens.end(), {" ", "the", "##ing", "##é", "é", "王", "##王", "\u0301", "##\u0301", "\u200d", "İ"});
  return Vocabulary(std::move(tokens), "pieces");
}

std::shared_ptr<const JiebaDictionary> dictionary() {
  const auto image =
      std::make_shared<const std::string>(JiebaDictionary::compile("王 5\n王王 9\nthe 3\nc++ 4\n中国 7\n", "words"));
  return std::make_shared<const JiebaDictionary>(*image, image, "words");
}

// The start of each code point of `text`, and the end of the last one.
std::vector<size_t> boundaries(std::string_view text) {
  std::vector<size_t> starts;
  for (size_t i = 0; i < text.size(); i += static_cast<size_t>(decode_utf8(text.data() + i).length))
    starts.push_back(i);
  starts.push_back(text.size());
  return starts;
}

// Whether `part` is a subsequence of the code points of `whole`.
bool is_subsequence(std::string_view part, std::string_view whole) {
  size_t i = 0;
  for (size_t j = 0; i < part.size() && j < whole.size(); ++j) i += part[i] == whole[j] ? 1 : 0;
  return i == part.size();
}

struct Subject {
  const Tokenizer& tokenizer;
  bool keeps_characters;  // neither lower-cases nor decomposes: a token consists of its slice's characters
};

void check(const Subject& subject, std::string_view text) {
  const Tokenizer& tokenizer = subject.tokenizer;
  const Encoding encoding = tokenizer.encode(text);
  const std::vector<int32_t> plain = tokenizer.encode_plain(text);
  require(encoding.ids.size() == plain.size() + 2, "encode is encode_plain between [CLS] and [SEP]");
  require(encoding.offsets.size() == encoding.ids.size() && encoding.segment_ids.size() == encoding.ids.size(),
          "each id has an offset and a segment");
  const std::vector<size_t> starts = boundaries(text);
  for (size_t i = 0; i < plain.size(); ++i) {
    require(encoding.ids[i + 1] == plain[i], "encode and encode_plain agree");
    const auto [begin, end] = encoding.offsets[i + 1];
    require(0 <= begin && begin < end && end < static_cast<int64_t>(starts.size()), "an offset lies in the text");
    const auto first = starts[static_cast<size_t>(begin)], last = starts[static_cast<size_t>(end)];
    std::string_view token = tokenizer.token(plain[i]);
    if (!subject.keeps_characters || plain[i] == tokenizer.unk_id() || token == " ") continue;
    if (tokenizer.is_continuation(plain[i])) token.remove_prefix(kContinuationPrefix.size());
    require(is_subsequence(token, text.substr(first, last - first)), "an offset slices its token from the text");
  }
  for (const bool keep_special : {false, true}) {
    require(find_invalid_utf8(tokenizer.decode(plain, keep_special)) == kValidUtf8, "decoded text is UTF-8");
  }
  if (tokenizer.type() == "byte") require(tokenizer.decode(plain, true) == text, "bytes come back exactly");
  const std::string_view half = text.substr(0, starts[starts.size() / 2]);
  const int64_t longest = 3 + static_cast<int64_t>(text.size() % 7);
  require(static_cast<int64_t>(tokenizer.encode(text, half, longest).ids.size()) <= longest, "max_length is respected");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const ByteTokenizer bytes(byte_vocabulary(), {}, "bytes");
  static const CharTokenizer exact(piece_vocabulary(), {}, false, "chars"),
      lower(piece_vocabulary(), {}, true, "chars");
  static const WordPieceTokenizer bert(piece_vocabulary(), {}, {}, "pieces"),
      cased(piece_vocabulary(), {}, {.lowercase = false, .strip_accents = false, .separate_cjk = true}, "pieces");
  static const JiebaTokenizer fast(piece_vocabulary(), {}, {}, JiebaMode::fast, dictionary(), "", "pieces"),
      slow(piece_vocabulary(), {}, {}, JiebaMode::slow, dictionary(), "", "pieces"),
      bert4keras(piece_vocabulary(), {}, {}, JiebaMode::bert4keras, dictionary(), "", "pieces");
  static const std::vector<Subject> subjects = {{bytes, false}, {exact, true}, {lower, false}, {bert, false},
                                                {cased, true},  {fast, false}, {slow, false},  {bert4keras, false}};
  if (size == 0) return 0;
  const Subject& subject = subjects[data[0] % subjects.size()];
  const std::string_view text = as_text(data + 1, size - 1);
  const bool valid = find_invalid_utf8(text) == kValidUtf8;
  const bool accepted = accepts([&] { check(subject, text); });
  require(accepted == valid, "invalid UTF-8, and only that, is rejected");
  return 0;
}

}  // namespace roformer::fuzz
