// generate as scripts see it.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "base/utf8.h"
#include "models/save_model.h"
#include "tests/cli/program.h"
#include "text/learn/train.h"
#include "text/pipeline/byte_letters.h"
#include "text/pipeline/make_byte_bpe.h"

namespace roformer::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class GenerateCommand : public ::testing::Test {
 protected:
  void SetUp() override {
    ModelConfig config;
    config.vocabulary = tokenizer_->vocabulary_size();
    config.hidden = config.embedding = 16;
    config.layers = 1;
    config.heads = 2;
    config.intermediate = 24;
    config.initializer_range = 0.6;
    config.head = Head::causal_lm;
    config.attention_mask = AttentionMask::causal;
    complete(config, "");
    Model model(*backend_, config, false);
    model.initialize({5, 0});
    save_model(model, tokenizer_->files(), directory_ / "model");
  }
  Arguments command(const Arguments& more) const {
    return Arguments{"generate", "--model", directory_ / "model", "--threads", "1", "--max-new-tokens", "12"} + more;
  }

  TempDirectory directory_;
  ThreadPool pool_{1};
  std::unique_ptr<Backend> backend_ = make_reference_backend(pool_);
  std::unique_ptr<Tokenizer> tokenizer_ = train_byte();
};

TEST_F(GenerateCommand, JsonAndPlainSayTheSame) {
  const auto lines = json_lines(succeed(command({"--prompt", "abc", "--prompt", "d e", "--json", "--seed", "3"})));
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_THAT(keys(lines[0]), ElementsAre("finish", "ids", "prompt", "text"));
  EXPECT_EQ(lines[1]["prompt"], "d e");
  const std::string first = lines[0]["text"], second = lines[1]["text"];
  EXPECT_EQ(succeed(command({"--seed", "3", "abc", "d e"})), first + "\n" + second + "\n");
  EXPECT_EQ(succeed(command({"--seed", "3", "--batch-size", "1", "--echo", "abc", "d e"})),
            "abc" + first + "\nd e" + second + "\n");
  Child::Options input;
  input.input = "abc\nd e\n";
  EXPECT_EQ(succeed(command({"--seed", "3"}), input), first + "\n" + second + "\n");
}

std::string chat_failure(const Arguments& arguments, int exit_code) {
  const Outcome outcome = run(arguments);
  EXPECT_EQ(outcome.exit_code, exit_code);
  return outcome.error;
}

// ChatML, as of SmolLM2.
class ChatCommand : public GenerateCommand {
 protected:
  void SetUp() override {
    ByteBpeContent content;
    for (int byte = 0; byte < 256; ++byte) {
      content.tokens.push_back(pipeline::bytes_to_letters(std::string(1, static_cast<char>(byte))));
    }
    for (const char* token : {"<|im_start|>", "<|im_end|>"}) {
      content.added.push_back({.content = token, .id = static_cast<int32_t>(content.tokens.size()), .special = true});
      content.tokens.emplace_back(token);
    }
    content.specials.sep = "<|im_end|>";
    content.chat_template =
        "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + "
        "'\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";
    tokenizer_ = make_byte_bpe(content, "test");
    GenerateCommand::SetUp();
  }
};

TEST_F(ChatCommand, AnswersAsTheTemplatesTextGoesOn) {
  const auto answer = [&](const Arguments& more) { return succeed(command(Arguments{"--greedy"} + more)); };
  const std::string turn = "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n";
  const std::string system = "<|im_start|>system\nBe brief.<|im_end|>\n";
  EXPECT_EQ(answer({"--chat", "--prompt", "Hi"}), answer({"--prompt", turn}));
  EXPECT_EQ(answer({"--chat", "--system", "Be brief.", "Hi"}), answer({"--prompt", system + turn}));
  EXPECT_NE(answer({"--chat", "--prompt", "Hi"}), answer({"--prompt", "Hi"}));
  Child::Options input;
  input.input = R"([{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}])"
                "\nHi\n";
  EXPECT_EQ(succeed(command({"--greedy", "--chat"}), input), answer({"--prompt", system + turn, "--prompt", turn}));
}

TEST_F(ChatCommand, SaysWhatIsWrongWithAChat) {
  EXPECT_THAT(chat_failure(command({"--system", "x", "Hi"}), 2), HasSubstr("--system is for --chat alone"));
  const std::string own = R"([{"role": "system", "content": "x"}, {"role": "user", "content": "Hi"}])";
  EXPECT_THAT(chat_failure(command({"--chat", "--system", "x", own}), 1), HasSubstr("a system message of its own"));
  EXPECT_THAT(chat_failure(command({"--chat", R"([{"role": "assistant", "content": "x"}])"}), 1),
              HasSubstr("text 1: the chat has no turn of the user"));
  EXPECT_THAT(chat_failure(command({"--chat", "[{"}), 1), HasSubstr("text 1: "));
}

TEST_F(GenerateCommand, ChatsNeedATemplate) {
  EXPECT_THAT(chat_failure(command({"--chat", "Hi"}), 1), HasSubstr("the model is not made for chats"));
}

// On standard error, for each prompt.
TEST_F(GenerateCommand, SaysThatAPromptIsCut) {
  const Outcome cut = run(command({"--context", "8", "--json", "--prompt", "a prompt that is longer", "--prompt", "abc",
                                   "--prompt", "another that is cut"}));
  EXPECT_EQ(cut.exit_code, 0);
  EXPECT_EQ(json_lines(cut.output).size(), 3u);
  EXPECT_EQ(cut.error,
            "roformer: text 1: the prompt has 24 tokens, the context 8: tokens 2 to 17 are left out\n"
            "roformer: text 3: the prompt has 20 tokens, the context 8: tokens 2 to 13 are left out\n");
  EXPECT_EQ(run(command({"--context", "24", "a prompt that is longer"})).error, "");
}

TEST_F(GenerateCommand, BeamsHaveAScore) {
  const auto lines = json_lines(succeed(command({"--prompt", "abc", "--json", "--beam", "3"})));
  EXPECT_LT(lines.at(0)["score"], 0);
}

// Until the program handles the signal itself: before, it ends the program at once.
bool wait_until_caught(Child& child, int signal) {
  const std::string status = fmt::format("/proc/{}/status", child.pid());
  return child.wait_until([&] {
    std::ifstream file(status);
    for (std::string line; std::getline(file, line);) {
      if (!line.starts_with("SigCgt:")) continue;
      return (std::stoull(line.substr(7), nullptr, 16) >> (signal - 1) & 1) == 1;
    }
    return false;
  });
}

// A text that would take hours.
TEST_F(GenerateCommand, StopsWhenItIsInterrupted) {
  const Arguments endless = {"--max-new-tokens", "500000000", "--min-new-tokens", "500000000"};
  for (const int signal : {SIGINT, SIGTERM}) {
    Child child(command(endless + Arguments{"--echo", "--prompt", "caf\u00e9 ", "--prompt", "d"}));
    ASSERT_TRUE(child.wait_until([&] { return child.output_bytes() > 500; }));
    child.send(signal);
    const Outcome stopped = child.wait();
    EXPECT_EQ(stopped.exit_code, 130);
    EXPECT_EQ(stopped.error, "roformer: interrupted while generating\n");
    EXPECT_THAT(stopped.output, ::testing::StartsWith("caf\u00e9 "));
    EXPECT_EQ(find_invalid_utf8(stopped.output), kValidUtf8);
    EXPECT_THAT(stopped.output, ::testing::EndsWith("\n"));
  }
}

TEST_F(GenerateCommand, InterruptedJsonAndBeamsSayNothing) {
  const Arguments endless = {"--max-new-tokens", "500000000", "--min-new-tokens", "500000000", "abc"};
  for (const Arguments& more : {Arguments{"--json"}, Arguments{"--beam", "2", "--overflow", "shift"}}) {
    Child child(command(endless + more));
    ASSERT_TRUE(wait_until_caught(child, SIGTERM));
    child.send(SIGTERM);
    const Outcome stopped = child.wait();
    EXPECT_EQ(stopped.exit_code, 130);
    EXPECT_EQ(stopped.error, "roformer: interrupted while generating\n");
    EXPECT_THAT(stopped.output, ::testing::AnyOf("", "\n"));
  }
}

// Finished texts of the first batch remain.
TEST_F(GenerateCommand, InterruptedBetweenBatchesKeepsWhatIsFinished) {
  const Arguments one_by_one = {"--batch-size", "1", "--max-new-tokens", "3", "--seed", "3"};
  const std::string finished = succeed(command(one_by_one + Arguments{"abc"}));
  std::string prompts = "abc\n";
  for (int i = 0; i < 1'000'000; ++i) prompts += "d\n";
  Child child(command(one_by_one), {.input = prompts, .file_limit = {}, .environment = {}});
  ASSERT_TRUE(child.wait_until([&] { return child.output_bytes() > finished.size(); }));
  child.send(SIGINT);
  const Outcome stopped = child.wait();
  EXPECT_EQ(stopped.exit_code, 130);
  EXPECT_THAT(stopped.output, ::testing::StartsWith(finished));
  EXPECT_EQ(find_invalid_utf8(stopped.output), kValidUtf8);
}

TEST_F(GenerateCommand, RefusesHostileOptions) {
  const auto refuses = [&](const Arguments& more, int code, const std::string& message) {
    const Outcome outcome = run(command(more));
    EXPECT_EQ(outcome.exit_code, code) << message;
    EXPECT_THAT(outcome.error, HasSubstr(message));
    EXPECT_EQ(outcome.output, "");
  };
  refuses({"abc", "--temperature", "-1"}, 2, "--temperature");
  refuses({"abc", "--temperature", "nan"}, 2, "--temperature");
  refuses({"abc", "--top-p", "0"}, 2, "--top-p");
  refuses({"abc", "--greedy", "--top-k", "3"}, 2, "--greedy");
  refuses({"abc", "--beam", "2", "--temperature", "1"}, 2, "--beam");
  refuses({"abc", "--length-penalty", "1"}, 2, "--length-penalty");
  refuses({"abc", "--beam", "0"}, 2, "--beam");
  refuses({"--prompt", "a", "--input", "file"}, 2, "--prompt");
  refuses({"abc", "--overflow", "never"}, 2, "overflow");
  refuses({"abc", "--attention-mask", "all"}, 2, "--attention-mask");
  refuses({"--prompt", "abc", "--stop", ""}, 2, "stop string");
  refuses({"--prompt", "abc", "--min-new-tokens", "13"}, 2, "min-new-tokens");
  refuses({"abc", "--context", "500000000", "--batch-size", "4096"}, 1, "bytes");
  refuses({"--prompt", "a prompt that is longer", "--context", "8", "--overflow", "stop"}, 1, "expected at most 8");
  refuses({"--prompt", "\xFF"}, 1, "UTF-8");
}

}  // namespace
}  // namespace roformer::test
