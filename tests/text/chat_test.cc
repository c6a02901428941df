// Chat templates against transformers' rendering of the published ones (tests/fixtures/README.md), and what is refused.
#include <nlohmann/json.hpp>

#include "text/chat.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "tests/text/tokenizer_files.h"

namespace roformer {
namespace {

using testing::HasSubstr;

constexpr int64_t kMaxChatsBytes = 1 << 20;

const Json& chat_fixture() {
  static const Json fixture =
      parse_json(read_file(ROFORMER_SOURCE_DIR "/tests/fixtures/chats.json", kMaxChatsBytes), "chats.json");
  return fixture;
}

ChatTemplate template_named(const std::string& name) {
  for (const Json& entry : chat_fixture()["templates"]) {
    if (entry["name"] == name) return {entry["template"].get<std::string>(), entry["bos"], entry["eos"], "model"};
  }
  throw std::out_of_range(name);
}

TEST(ChatTemplate, GivesWhatTransformersRenders) {
  ASSERT_GT(chat_fixture()["templates"].size(), 10u);
  for (const Json& entry : chat_fixture()["templates"]) {
    const auto name = entry["name"].get<std::string>();
    const ChatTemplate chat = template_named(name);
    for (size_t i = 0; i < chat_fixture()["chats"].size(); ++i) {
      const auto messages = read_chat(chat_fixture()["chats"][i].dump(), "chat");
      const Json& expected = entry["texts"][i];
      if (expected.is_null()) {
        EXPECT_THROW(chat.apply(messages), DataError) << name << " " << i;
      } else {
        EXPECT_EQ(chat.apply(messages), expected.get<std::string>()) << name << " " << i;
      }
    }
  }
}

TEST(ChatTemplate, KnowsTheTokenThatEndsATurn) {
  EXPECT_EQ(template_named("Qwen/Qwen2.5-0.5B-Instruct").turn_end(), "<|im_end|>");
  EXPECT_EQ(template_named("meta-llama/Meta-Llama-3-8B-Instruct").turn_end(), "<|eot_id|>");
  EXPECT_EQ(template_named("google/gemma-3-270m-it").turn_end(), "<end_of_turn>");
  EXPECT_EQ(template_named("mistralai/Mistral-7B-Instruct-v0.3").turn_end(), "</s>");
}

// Llama 3.2 asks for the day.
TEST(ChatTemplate, HasTodaysDateWhereTheTemplateAsksForIt) {
  std::string jinja;
  for (const Json& entry : chat_fixture()["templates"]) {
    if (entry["name"] == "meta-llama/Llama-3.1-8B-Instruct") jinja = entry["template"].get<std::string>();
  }
  const std::string fixed = R"({%- set date_string = "26 Jul 2024" %})";
  const size_t at = jinja.find(fixed);
  ASSERT_NE(at, jinja.npos);
  jinja.insert(at, R"({%- if strftime_now is defined %}{%- set date_string = strftime_now("%d %b %Y") %}{%- else %})");
  const std::vector<ChatMessage> messages = {{"user", "x"}};
  const std::string text = ChatTemplate(jinja, "<s>", "</s>", "model").apply(messages);
  EXPECT_THAT(text, testing::ContainsRegex("Today Date: [0-3][0-9] [A-Z][a-z][a-z] 20[0-9][0-9]\n\n"));
  EXPECT_THAT(text, testing::Not(HasSubstr("26 Jul 2024")));
}

TEST(ChatTemplate, RefusesAndShowsWhatItDoesNotKnow) {
  const auto refusal = [](std::string_view jinja) {
    return message_of<DataError>([&] { ChatTemplate(jinja, "<s>", "</s>", "model"); });
  };
  const char* phi = "{% for message in messages %}{{'<|' + message['role'] + '|>' + message['content']}}{% endfor %}";
  EXPECT_THAT(refusal(phi), HasSubstr("model: the chat template is none that is known"));
  EXPECT_THAT(refusal(phi), HasSubstr("'<|' + message['role']"));
  EXPECT_THAT(refusal("{{'<|im_start|>' + message['role'] + ': ' + message['content']}}"), HasSubstr("none that"));
  // Mistral Small has a default system message, which is not written here.
  std::string jinja = chat_fixture()["templates"].back()["template"];
  jinja.insert(0, "{%- set system_message = 'You are Mistral' %}");
  EXPECT_THAT(refusal(jinja), HasSubstr("none that is known"));
}

TEST(ChatTemplate, NeedsAUsersTurnAtTheEnd) {
  const ChatTemplate chat = template_named("teknium/OpenHermes-2.5-Mistral-7B");
  const auto refusal = [&](std::string_view json) {
    return message_of<DataError>([&] { chat.apply(read_chat(json, "line 3")); });
  };
  EXPECT_THAT(refusal(R"([{"role": "system", "content": "x"}])"), HasSubstr("no turn of the user"));
  EXPECT_THAT(refusal(R"([{"role": "user", "content": "x"}, {"role": "assistant", "content": "y"}])"),
              HasSubstr("the last message of the chat is the assistant's"));
  EXPECT_THAT(refusal("[]"), HasSubstr("line 3: expected a list of messages"));
  EXPECT_THAT(refusal(R"([{"role": "tool", "content": "x"}])"), HasSubstr("expected system, user or assistant"));
  EXPECT_THAT(refusal(R"([{"role": "user"}])"), HasSubstr("message 1"));
}

TEST(ChatTemplate, ComesFromTheDirectoryAndItsTokenizer) {
  TempDirectory directory;
  write_text(directory / "vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\n");
  const std::string jinja = chat_fixture()["templates"][3]["template"];
  const auto load = [&] { return load_chat_template(directory.path(), *load_tokenizer(directory.path())); };
  EXPECT_THAT(message_of<DataError>(load), HasSubstr("not made for chats"));
  const Json config = {{"tokenizer_class", "BertTokenizer"},
                       {"chat_template", {{{"name", "default"}, {"template", jinja}}}}};
  write_text(directory / "tokenizer_config.json", config.dump());
  EXPECT_THAT(message_of<DataError>(load), HasSubstr("ends a turn with \"<|im_end|>\", which the tokenizer does not"));
  Json with_token = config;
  with_token["added_tokens_decoder"]["6"] = {{"content", "<|im_end|>"}, {"special", true}};
  write_text(directory / "tokenizer_config.json", with_token.dump());
  const std::vector<ChatMessage> messages = {{"user", "x"}};
  EXPECT_THAT(load().apply(messages), testing::StartsWith("<|im_start|>user\nx"));
  write_text(directory / "chat_template.jinja", "{{ messages }}");  // counts before tokenizer_config.json
  EXPECT_THAT(message_of<DataError>(load), HasSubstr("{{ messages }}"));
}

}  // namespace
}  // namespace roformer
