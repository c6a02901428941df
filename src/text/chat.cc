#include "text/chat.h"

#include <algorithm>
#include <array>
#include <ctime>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/error.h"
#include "base/file.h"
#include "text/chat_pieces.h"
#include "text/tokenizer_settings.h"
#include "text/unicode.h"

namespace roformer {

namespace {

constexpr int64_t kMaxTemplateBytes = 1 << 20;
constexpr size_t kShownTemplate = 400;

bool has(const std::string& pieces, std::string_view piece) { return pieces.find(piece) != pieces.npos; }

std::string trim(std::string_view text) { return std::string(strip_whitespace(text)); }

// What stands between two texts, the last such place; without a quote, so that it is all of a string's end.
std::optional<std::string> literal_between(const std::string& pieces, std::string_view begin, std::string_view end) {
  for (size_t at = pieces.rfind(begin); at != pieces.npos; at = at > 0 ? pieces.rfind(begin, at - 1) : pieces.npos) {
    const size_t from = at + begin.size(), to = pieces.find(end, from), quote = pieces.find('\'', from);
    if (to != pieces.npos && to <= quote) return pieces.substr(from, to - from);
    if (at == 0) break;
  }
  return std::nullopt;
}

std::string today() {
  const std::time_t now = std::time(nullptr);
  std::tm local{};
  localtime_r(&now, &local);
  std::array<char, 32> buffer;
  return {buffer.data(), std::strftime(buffer.data(), buffer.size(), "%d %b %Y", &local)};
}

std::string without_thoughts(const std::string& content) {
  constexpr std::string_view kEnd = "</think>";
  const size_t end = content.rfind(kEnd);
  if (end == content.npos) return content;
  const std::string rest = content.substr(end + kEnd.size());
  return rest.substr(std::min(rest.find_first_not_of('\n'), rest.size()));
}

}  // namespace

std::vector<ChatMessage> read_chat(std::string_view json, const std::string& where) {
  const Json list = parse_json(json, where);
  if (!list.is_array() || list.empty()) throw DataError("{}: expected a list of messages", where);
  std::vector<ChatMessage> messages;
  for (const Json& entry : list) {
    const JsonObject message(entry, fmt::format("{}: message {}", where, messages.size() + 1));
    const std::string role = message.get_string("role", std::nullopt);
    if (role != "system" && role != "user" && role != "assistant") message.reject("role", "system, user or assistant");
    messages.push_back({role, message.get_string("content", std::nullopt)});
  }
  return messages;
}

ChatTemplate::ChatTemplate(std::string_view jinja, std::string bos, std::string eos, const std::string& where)
    : bos_(std::move(bos)), eos_(std::move(eos)), where_(where) {
  if (!recognize(chat_template_pieces(jinja))) {
    throw DataError("{}: the chat template is none that is known, of ChatML, Llama 2, Llama 3, Gemma or Mistral: {}",
                    where, quote(jinja, kShownTemplate));
  }
}

bool ChatTemplate::recognize(const std::string& pieces) {
  if (has(pieces, "{{bos_token}}")) begin_ = bos_;
  if (has(pieces, "<|im_start|>")) return recognize_chatml(pieces);
  if (has(pieces, "<|start_header_id|>")) return recognize_llama3(pieces);
  if (has(pieces, "<start_of_turn>")) return recognize_gemma(pieces);
  // A message that stands in for a missing one is another model's.
  if (!has(pieces, "[INST]") || has(pieces, "setsystem_message='")) return false;
  return has(pieces, "<<SYS>>") ? recognize_llama2(pieces) : recognize_mistral(pieces);
}

bool ChatTemplate::recognize_chatml(const std::string& pieces) {
  kind_ = Kind::chatml;
  turn_end_ = "<|im_end|>";
  if (!has(pieces, "'<|im_start|>'+message['role']+'\n'+message['content']+'<|im_end|>'+'\n'") &&
      !has(pieces, "'<|im_start|>'+message['role']+'\n'+message['content']+'<|im_end|>\n'") &&
      !has(pieces, "'<|im_start|>'+message['role']+'\n'+content+'<|im_end|>'+'\n'")) {
    return false;
  }
  if (has(pieces, "bos_token") && !pieces.starts_with("{{bos_token}}")) return false;
  if (has(pieces, "strftime_now") || has(pieces, "reasoning_mode")) return false;  // SmolLM 3's, for one
  drops_thoughts_ = has(pieces, ".split('</think>')[-1].lstrip('\n')");
  if (has(pieces, "</think>") && !drops_thoughts_) return false;
  const auto answer = literal_between(pieces, "'<|im_start|>assistant\n", "'");
  if (!answer || !has(pieces, "ifadd_generation_prompt")) return false;
  answer_ = "<|im_start|>assistant\n" + *answer;
  const auto system = literal_between(pieces, "'<|im_start|>system\n", "<|im_end|>\n'");
  if (system) default_system_ = *system;
  return true;
}

bool ChatTemplate::recognize_llama2(const std::string& pieces) {
  kind_ = Kind::llama2;
  system_ = System::before_first;
  turn_end_ = eos_;
  begin_ = "";
  return has(pieces, "'<<SYS>>\n'+system_message+'\n<</SYS>>\n\n'+message['content']") &&
         has(pieces, "bos_token+'[INST] '+content.strip()+' [/INST]'") &&
         has(pieces, "' '+content.strip()+' '+eos_token");
}

bool ChatTemplate::recognize_llama3(const std::string& pieces) {
  kind_ = Kind::llama3;
  turn_end_ = "<|eot_id|>";
  answer_ = "<|start_header_id|>assistant<|end_header_id|>\n\n";
  if (!has(pieces,
           "'<|start_header_id|>'+message['role']+'<|end_header_id|>\n\n'+message['content']|trim+'<|eot_id|>'") ||
      !has(pieces, "'" + answer_ + "'")) {
    return false;
  }
  if (!has(pieces, "Cutting Knowledge Date")) {
    begin_ = bos_;
    return has(pieces, "setcontent=bos_token+content");
  }
  const auto date = literal_between(pieces, "setdate_string='", "'");
  if (date) date_ = has(pieces, "setdate_string=strftime_now('%d %b %Y')") ? today() : *date;
  return date && has(pieces, "{{bos_token}}") && has(pieces, "'Cutting Knowledge Date: December 2023\n'") &&
         has(pieces, "'Today Date: '+date_string+'\n\n'") &&
         has(pieces, "setsystem_message=messages[0]['content']|trim");
}

bool ChatTemplate::recognize_gemma(const std::string& pieces) {
  kind_ = Kind::gemma;
  turn_end_ = "<end_of_turn>";
  answer_ = "<start_of_turn>model\n";
  if (!has(pieces, "'" + answer_ + "'")) return false;
  if (has(pieces, "'<start_of_turn>'+role+'\n'+message['content']|trim+'<end_of_turn>\n'")) return true;
  system_ = System::before_first;
  return has(pieces, "'<start_of_turn>'+role+'\n'+(first_user_prefixifloop.firstelse'')") &&
         has(pieces, "first_user_prefix=messages[0]['content']+'\n\n'") && has(pieces, "{{message['content']|trim}}") &&
         has(pieces, "{{'<end_of_turn>\n'}}");
}

bool ChatTemplate::recognize_mistral(const std::string& pieces) {
  kind_ = Kind::mistral;
  turn_end_ = eos_;
  bool found = false;
  for (const std::string open : {"[INST]", "[INST] ", " [INST] "}) {
    for (const std::string close : {"[/INST]", " [/INST]"}) {
      if (!has(pieces, fmt::format("'{}'+message['content']+'{}'", open, close))) continue;
      open_ = open;
      close_ = close;
      found = true;
    }
  }
  if (has(pieces, "'" + open_ + "'+system_message+'\n\n'+message['content']+'" + close_ + "'")) {
    const bool first = has(pieces, "ifloop.firstandsystem_messageisdefined");
    if (!first && !has(pieces, "ifloop.lastandsystem_messageisdefined")) return false;
    system_ = first ? System::before_first : System::before_last;
  }
  const auto answer = [&](const std::string& content, bool trims) {
    const size_t at = pieces.find(content + "+eos_token");
    if (at == pieces.npos) return false;
    trims_answer_ = trims;
    answer_begin_ = std::string_view(pieces).substr(0, at).ends_with("' '+") ? " " : "";
    answer_end_ = has(pieces, content + "+eos_token+' '") ? " " : "";
    return true;
  };
  return found && has(pieces, "{{bos_token}}") &&
         (answer("message['content']|trim", true) || answer("message['content']", false));
}

void ChatTemplate::check(std::span<const ChatMessage> messages) const {
  if (std::ranges::find(messages, "user", &ChatMessage::role) == messages.end()) {
    throw DataError("the chat has no turn of the user, expected one to answer");
  }
  if (messages.back().role != "user") {
    throw DataError("the last message of the chat is the {}'s, expected the user's, to answer it",
                    messages.back().role);
  }
  if (kind_ == Kind::chatml || kind_ == Kind::llama3) return;
  const bool has_system = messages.front().role == "system";
  if (has_system && system_ == System::refused) {
    throw DataError("{}: the chat template has no system message, expected a chat without one", where_);
  }
  for (size_t i = has_system ? 1 : 0, turn = 0; i < messages.size(); ++i, ++turn) {
    const char* expected = turn % 2 == 0 ? "user" : "assistant";
    if (messages[i].role != expected) {
      throw DataError("message {} of the chat is the {}'s, expected the {}'s: the two take turns", i + 1,
                      messages[i].role, expected);
    }
  }
}

std::string ChatTemplate::apply(std::span<const ChatMessage> messages) const {
  check(messages);
  if (kind_ == Kind::chatml) return apply_chatml(messages);
  return kind_ == Kind::llama3 ? apply_llama3(messages) : apply_in_turns(messages);
}

std::string ChatTemplate::apply_chatml(std::span<const ChatMessage> messages) const {
  std::string text = begin_;
  const auto append = [&](std::string_view role, std::string_view content) {
    text.append("<|im_start|>").append(role).append("\n").append(content).append("<|im_end|>\n");
  };
  if (!default_system_.empty() && messages.front().role != "system") append("system", default_system_);
  for (const auto& [role, content] : messages) {
    append(role, drops_thoughts_ && role == "assistant" ? without_thoughts(content) : content);
  }
  return text + answer_;
}

std::string ChatTemplate::apply_llama3(std::span<const ChatMessage> messages) const {
  std::string text = begin_;
  const auto append = [&](std::string_view role, std::string_view content) {
    text.append("<|start_header_id|>").append(role).append("<|end_header_id|>\n\n").append(content).append(turn_end_);
  };
  if (!date_.empty()) {
    const bool has_system = messages.front().role == "system";
    append("system", "Cutting Knowledge Date: December 2023\nToday Date: " + date_ + "\n\n" +
                         (has_system ? trim(messages.front().content) : ""));
    if (has_system) messages = messages.subspan(1);
  }
  for (const auto& [role, content] : messages) append(role, trim(content));
  return text + answer_;
}

// `system`: the message that comes with it, or null.
void ChatTemplate::append_user(const std::string& content, const std::string* system, std::string& text) const {
  if (kind_ == Kind::llama2) {
    const std::string whole = system == nullptr ? content : "<<SYS>>\n" + *system + "\n<</SYS>>\n\n" + content;
    text += bos_ + "[INST] " + trim(whole) + " [/INST]";
  } else if (kind_ == Kind::gemma) {
    text += "<start_of_turn>user\n" + (system == nullptr ? "" : *system + "\n\n") + trim(content) + turn_end_ + "\n";
  } else {
    text += open_ + (system == nullptr ? "" : *system + "\n\n") + content + close_;
  }
}

void ChatTemplate::append_assistant(const std::string& content, std::string& text) const {
  if (kind_ == Kind::llama2) {
    text += " " + trim(content) + " " + eos_;
  } else if (kind_ == Kind::gemma) {
    text += answer_ + trim(content) + turn_end_ + "\n";
  } else {
    text += answer_begin_ + (trims_answer_ ? trim(content) : content) + eos_ + answer_end_;
  }
}

std::string ChatTemplate::apply_in_turns(std::span<const ChatMessage> messages) const {
  std::string text = begin_;
  const std::string* system = nullptr;
  if (messages.front().role == "system") {
    system = &messages.front().content;
    messages = messages.subspan(1);
  }
  for (size_t i = 0; i < messages.size(); ++i) {
    const bool takes_system = i == (system_ == System::before_last ? messages.size() - 1 : 0);
    if (messages[i].role == "user") {
      append_user(messages[i].content, takes_system ? system : nullptr, text);
    } else {
      append_assistant(messages[i].content, text);
    }
  }
  return text + answer_;
}

namespace {

// Of one template, or the one named "default" of a list of them.
std::string template_of(const JsonObject& config) {
  if (!config.has("chat_template")) return "";
  const Json& value = config.value()["chat_template"];
  if (!value.is_array()) return config.get_string("chat_template", "");
  for (const Json& entry : value) {
    const JsonObject named(entry, config.source() + ": 'chat_template'");
    if (named.get_string("name", "") == "default") return named.get_string("template", "");
  }
  return "";
}

}  // namespace

ChatTemplate load_chat_template(const std::string& directory, const Tokenizer& tokenizer) {
  constexpr const char* kConfig = "tokenizer_config.json";
  const std::string path = join_path(directory, kConfig), jinja = join_path(directory, "chat_template.jinja");
  JsonObject config(Json::object(), path);
  if (exists(path)) {
    config = JsonObject::read(path);
  } else if (!is_directory(directory)) {
    const auto files = tokenizer.files();
    if (files.contains(kConfig)) config = JsonObject(parse_json(files.at(kConfig), directory), directory);
  }
  const std::string text = exists(jinja) ? read_file(jinja, kMaxTemplateBytes) : template_of(config);
  if (text.empty()) {
    throw DataError("{}: no chat_template.jinja and no '{}' in tokenizer_config.json: the model is not made for chats",
                    FilePath(directory), KeyName("chat_template"));
  }
  const TokenSettings settings(config, directory, nullptr);
  ChatTemplate chat(text, settings.name("bos_token", ""), settings.name("eos_token", ""), directory);
  if (!tokenizer.id(chat.turn_end())) {
    throw DataError(
        "{}: the chat template ends a turn with {}, which the tokenizer does not have: it is another model's",
        FilePath(directory), quote(chat.turn_end()));
  }
  return chat;
}

}  // namespace roformer
