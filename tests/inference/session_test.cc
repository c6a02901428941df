#include "inference/session.h"
#include "inference/text_stream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/file.h"
#include "models/config.h"
#include "models/save_model.h"
#include "tests/base/error_detail.h"
#include "tests/base/temp_directory.h"
#include "text/learn/train.h"

namespace roformer {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

class Sessions : public ::testing::Test {
 protected:
  Sessions() {
    const auto tokenizer = train_byte();
    ModelConfig config;
    config.vocabulary = tokenizer->vocabulary_size();
    config.hidden = config.embedding = 8;
    config.layers = 1;
    config.heads = 2;
    config.intermediate = 8;
    complete(config, "");
    const Engine engine({.threads = 1});
    Model model(*engine.backend, config, true);
    model.initialize({1, 0});
    save_model(model, tokenizer->files(), path_);
  }

  TempDirectory directory_;
  std::string path_ = directory_ / "model";
};

TEST_F(Sessions, HoldWhatIsNeeded) {
  const Session session(path_, {.engine = {.threads = 2, .device = "cpu", .dtype = "bfloat16"}});
  EXPECT_EQ(session.pool().threads(), 2);
  EXPECT_EQ(&session.backend().pool(), &session.pool());
  EXPECT_EQ(&session.model().backend(), &session.backend());
  EXPECT_EQ(session.backend().precision(), Precision::bfloat16);
  EXPECT_EQ(session.tokenizer().vocabulary_size(), session.model().config().vocabulary);
  EXPECT_EQ(session.directory(), path_);
  EXPECT_TRUE(session.notes().warnings.empty());
}

TEST_F(Sessions, ATokenizerIsReadWhereItIsWanted) {
  std::filesystem::remove_all(path_ + "/tokenizer_config.json");
  for (const auto& entry : std::filesystem::directory_iterator(path_)) {
    if (entry.path().filename() != "config.json" && entry.path().filename() != "model.safetensors") {
      std::filesystem::remove(entry.path());
    }
  }
  EXPECT_THROW(Session{path_}, Error);
  const Session session(path_, {.engine = {}, .tokenizer = {}});
  EXPECT_EQ(session.model().config().hidden, 8);
  EXPECT_THROW(session.tokenizer(), ShapeError);
}

// Only a text with such a token is an error.
TEST_F(Sessions, WarnOfATokenizerWithMoreTokensThanTheModel) {
  ModelConfig config = read_config(path_ + "/config.json");
  config.vocabulary -= 20;
  const Engine engine({.threads = 1});
  save_model(Model(*engine.backend, config, false), train_byte()->files(), directory_ / "smaller");
  const Session session(directory_ / "smaller");
  EXPECT_THAT(session.notes().warnings, ElementsAre(HasSubstr("the model rows for")));
  const auto tokens = [&](std::string text) {
    TextBatching batching;
    batching.limit = length_limit(session.model().config(), session.tokenizer());
    int64_t count = 0;
    for_text_batches(session.tokenizer(), std::array{std::move(text)}, batching, session.pool(),
                     [&](size_t, const Batch& batch) { count += batch.tokens(); });
    return count;
  };
  EXPECT_EQ(tokens("a"), 3);
  EXPECT_THAT([&] { tokens("\xf4\x8f\xbf\xbf"); },  // bytes of high values
              ThrowsMessage<DataError>(HasSubstr("beyond the model's 241 rows")));
}

TEST_F(Sessions, TellUnknownKeys) {
  const std::string config = path_ + "/config.json";
  std::string text = read_file(config, 1 << 20);
  text.insert(text.find('{') + 1, "\"novelty\": 1,");
  write_file_atomically(config, text);
  EXPECT_THAT(Session(path_).notes().unknown_keys, ElementsAre("novelty"));
}

TEST_F(Sessions, RefuseWhatCannotBe) {
  for (const int64_t threads : {int64_t{-1}, int64_t{1025}, int64_t{1} << 32}) {
    try {
      const Engine engine({.threads = threads});
      FAIL();
    } catch (const UsageError& error) {
      EXPECT_EQ(error.detail().field, "threads");
    }
  }
  EXPECT_THAT([] { Engine({.dtype = "int2"}); }, ThrowsMessage<UsageError>(HasSubstr("int2")));
  EXPECT_THAT([] { Engine({.device = "abacus"}); }, ThrowsMessage<UsageError>(HasSubstr("abacus")));
  EXPECT_THROW(Session(directory_ / "none"), FileError);
}

}  // namespace
}  // namespace roformer
