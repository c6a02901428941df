#include "text/sentencepiece/llama2c_tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "base/file.h"
#include "tests/text/sentencepiece/llama2c_file.h"
#include "tests/text/tokenizer_files.h"
#include "text/char_tokenizer.h"

namespace roformer {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string error_of(const std::string& file, int64_t vocabulary = 0) {
  TempDirectory directory;
  write_text(directory / "t.bin", file);
  return message_of<DataError>([&] { read_llama2c_tokenizer(directory / "t.bin", vocabulary); });
}

std::unique_ptr<Tokenizer> open(const TempDirectory& directory, const std::string& path, int64_t vocabulary) {
  for (const auto& [name, content] : read_llama2c_tokenizer(path, vocabulary)) write_text(directory / name, content);
  return load_tokenizer(directory.path());
}

TEST(Llama2cTokenizer, IsALlamaTokenizer) {
  TempDirectory directory;
  write_text(directory / "t.bin", small_llama2c_file());
  for (const int64_t vocabulary : {kSmallLlama2c, int64_t{0}}) {
    const auto tokenizer = open(directory, directory / "t.bin", vocabulary);
    EXPECT_EQ(tokenizer->tokenizer_class(), "LlamaTokenizer");
    EXPECT_EQ(tokenizer->vocabulary_size(), kSmallLlama2c);
    EXPECT_EQ(tokenizer->token(261), "▁the");
    // " the" merges; "x" is a byte; no end token.
    EXPECT_THAT(tokenizer->encode("the thx").ids, ElementsAre(1, 261, 259, 264, 3 + 'x'));
    EXPECT_EQ(tokenizer->decode(tokenizer->encode("the thx\n\U0001F600").ids), "the thx\n\U0001F600");
  }
}

TEST(Llama2cTokenizer, LyingFilesAreRefused) {
  const std::string file = small_llama2c_file();
  EXPECT_EQ(error_of(file, kSmallLlama2c), "");
  for (const size_t size : {size_t{0}, size_t{3}, size_t{4}, size_t{9}, size_t{14}, file.size() - 1, file.size() - 9}) {
    EXPECT_THAT(error_of(file.substr(0, size), kSmallLlama2c), HasSubstr("t.bin: byte ")) << size;
  }
  EXPECT_THAT(error_of(file.substr(0, file.size() - 1), 0), HasSubstr("the file ends within token 265"));
  EXPECT_THAT(error_of(file, kSmallLlama2c + 1),
              HasSubstr(fmt::format("byte {}: the file ends within token 266", file.size())));
  EXPECT_THAT(error_of(file, kSmallLlama2c - 1), HasSubstr("has data after 265 tokens"));
  EXPECT_THAT(error_of(llama2c_raw(int32_t{8}) + llama2c_token("<unk>")), HasSubstr("1 tokens only"));
  EXPECT_THAT(error_of(small_llama2c_file("<bad>")), HasSubstr("byte 12: token 0 is \"<bad>\", expected <unk>"));
  EXPECT_THAT(error_of(file + llama2c_token("nine bytes")), HasSubstr("token 266 has a length of 10, expected 1 to 8"));
  EXPECT_THAT(error_of(file + llama2c_raw(0.0f) + llama2c_raw(int32_t{-1})), HasSubstr("token 266 has a length of -1"));
  EXPECT_THAT(error_of(file + llama2c_token("\xC3")), HasSubstr("token 266 is not UTF-8"));
  EXPECT_THAT(error_of(file + llama2c_token("he")), HasSubstr("pieces 260 and 266 are both \"he\""));
  EXPECT_THAT(error_of(file + llama2c_token("x", std::numeric_limits<float>::infinity())), HasSubstr("not finite"));
  EXPECT_THAT(error_of(file, -1), HasSubstr("a vocabulary of -1"));
  std::string swapped = file;
  swapped.replace(swapped.find("<0x41>"), 6, "<0x42>");
  EXPECT_THAT(error_of(swapped), HasSubstr("token 68 is \"<0x42>\", expected <0x41>"));
}

// The real one of llama2.c's stories260K, with a text from its model card.
TEST(Llama2cTokenizer, Stories260K) {
  const char* variable = std::getenv("ROFORMER_SHARED");
  const std::string shared = variable ? variable : ROFORMER_SOURCE_DIR "/../shared";
  const std::string script = shared + "/data/unpack.sh";
  if (!std::filesystem::exists(script)) GTEST_SKIP() << script << " is absent (set ROFORMER_SHARED)";
  TempDirectory directory;
  const std::string command = "bash '" + script + "' '" + directory.path() + "' models > /dev/null 2>&1";
  if (std::system(command.c_str()) != 0) GTEST_SKIP() << "cannot unpack the models";
  const auto tokenizer = open(directory, directory / "models/stories260K_tok512.bin", 512);
  EXPECT_EQ(tokenizer->vocabulary_size(), 512);
  const std::string description = read_file(directory / "models/stories260K.md", 1 << 20);
  const size_t begin = description.find("Once upon a time, there was a little girl");
  const std::string story = description.substr(begin, description.find("```", begin) - begin - 1);
  const auto ids = tokenizer->encode(story).ids;
  EXPECT_EQ(tokenizer->decode(ids), story);
  // The ids of "Once upon a time" by llama2.c's run.c.
  EXPECT_THAT(tokenizer->encode("Once upon a time").ids, ElementsAre(1, 403, 407, 261, 378));
}

}  // namespace
}  // namespace roformer
