#include "text/stream_decoder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "base/utf8.h"
#include "tests/text/tokenizer_files.h"
#include "text/learn/sentencepiece_training.h"
#include "text/learn/train.h"

namespace roformer {
namespace {

std::vector<std::unique_ptr<Tokenizer>> tokenizers(const TempDirectory& directory) {
  std::string text;
  for (int i = 0; i < 30; ++i) text += "the king's heaven, (caf\u00e9) and 王中 \U0001F600 unaffable\n";
  write_text(directory / "text.txt", text);
  ThreadPool pool(1);
  const std::vector<std::string> paths = {directory / "text.txt"};
  std::vector<std::unique_ptr<Tokenizer>> all;
  all.push_back(train_byte());
  all.push_back(train_char(paths, {}, pool));
  all.push_back(train_wordpiece(paths, {.vocab_size = 60}, pool));
  all.push_back(train_sentencepiece(paths, {.vocab_size = 320}, SentencePieceModel::Kind::bpe, pool));
  all.push_back(train_sentencepiece(paths, {.vocab_size = 320}, SentencePieceModel::Kind::unigram, pool));
  return all;
}

// Random ids, including special ones and incomplete characters.
TEST(StreamDecoder, PiecesTogetherAreTheText) {
  TempDirectory directory;
  std::mt19937 random(3);
  for (const auto& tokenizer : tokenizers(directory)) {
    for (int i = 0; i < 2000; ++i) {
      const bool keep_special = i % 2 == 0;
      StreamDecoder decoder(*tokenizer, keep_special);
      std::vector<int32_t> ids;
      std::string text;
      for (unsigned n = random() % 12; n-- > 0;) {
        // Half of the time from the byte tokens of the end of UTF-8's range, where characters of many bytes start.
        const auto size = static_cast<unsigned>(tokenizer->vocabulary_size());
        ids.push_back(
            static_cast<int32_t>(random() % 2 && size > 261 - 1 ? 5 + 128 + random() % 128 : random() % size));
        const std::string piece = decoder.push(ids.back());
        ASSERT_EQ(find_invalid_utf8(piece), kValidUtf8);
        text += piece;
      }
      text += decoder.finish();
      ASSERT_EQ(text, tokenizer->decode(ids, keep_special)) << tokenizer->type();
    }
  }
}

TEST(StreamDecoder, HoldsBackPartsOfCharactersAlone) {
  const auto bytes = train_byte();
  const auto push = [&](StreamDecoder& decoder, int byte) {
    return decoder.push(*bytes->id(fmt::format("<0x{:02X}>", byte)));
  };
  StreamDecoder decoder(*bytes);
  EXPECT_EQ(push(decoder, 'a'), "a");
  EXPECT_EQ(push(decoder, 0xF0), "");
  EXPECT_EQ(push(decoder, 0x9F), "");
  EXPECT_EQ(push(decoder, 0x98), "");
  EXPECT_EQ(push(decoder, 0x80), "\U0001F600");
  EXPECT_EQ(push(decoder, 0xE4), "");
  EXPECT_EQ(push(decoder, 'b'), "\uFFFDb");
  EXPECT_EQ(push(decoder, 0x80), "\uFFFD");  // starts nothing
  EXPECT_EQ(push(decoder, 0xED), "");
  EXPECT_EQ(push(decoder, 0xA0), "\uFFFD\uFFFD");  // the start of a surrogate, which no byte completes
  EXPECT_EQ(push(decoder, 0xE4), "");
  EXPECT_EQ(decoder.finish(), "\uFFFD");
  EXPECT_EQ(decoder.finish(), "");
  EXPECT_THROW(decoder.push(10'000), DataError);
}

TEST(StreamDecoder, WordPiecesAndPiecesHaveTheirSpaces) {
  TempDirectory directory;
  for (const auto& tokenizer : tokenizers(directory)) {
    StreamDecoder decoder(*tokenizer);
    std::string text;
    const std::string sentence = "the king's heaven, (caf\u00e9)";
    for (const int32_t id : tokenizer->encode(sentence).ids) text += decoder.push(id);
    EXPECT_EQ(text, sentence) << tokenizer->type();
  }
}

}  // namespace
}  // namespace roformer
