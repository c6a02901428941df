// Chats as the text that an instruction-tuned model was trained on. A model's chat template is a program in Jinja; this
// one does not run it, but recognizes the five usual kinds by the expressions that write a turn, and writes the same
// text as transformers' apply_chat_template. What it does not recognize is an error.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "text/tokenizer.h"

namespace roformer {

struct ChatMessage {
  std::string role, content;  // role: "system", "user" or "assistant"
  bool operator==(const ChatMessage&) const = default;
};

// A list of objects with "role" and "content". DataError, starting with `where`, for anything else.
std::vector<ChatMessage> read_chat(std::string_view json, const std::string& where);

class ChatTemplate {
 public:
  // `bos` and `eos`: the tokenizer's, "" for none. DataError, with the template, if it is none of the five kinds:
  // ChatML, Llama 2, Llama 3 (with or without the dates of 3.1), Gemma (1 to 3) and Mistral.
  ChatTemplate(std::string_view jinja, std::string bos, std::string eos, const std::string& where);

  // The chat, and what starts the assistant's answer. DataError unless the last message is the user's, and for an order
  // of roles that the template refuses.
  std::string apply(std::span<const ChatMessage> messages) const;
  // The token that ends a turn.
  const std::string& turn_end() const { return turn_end_; }

 private:
  enum class Kind { chatml, llama2, llama3, gemma, mistral };
  // What to do with a system message of a template whose turns are the user's and the assistant's in turn.
  enum class System { refused, before_first, before_last };

  bool recognize(const std::string& pieces);
  bool recognize_chatml(const std::string& pieces);
  bool recognize_llama2(const std::string& pieces);
  bool recognize_llama3(const std::string& pieces);
  bool recognize_gemma(const std::string& pieces);
  bool recognize_mistral(const std::string& pieces);
  void check(std::span<const ChatMessage> messages) const;
  std::string apply_chatml(std::span<const ChatMessage> messages) const;
  std::string apply_llama3(std::span<const ChatMessage> messages) const;
  std::string apply_in_turns(std::span<const ChatMessage> messages) const;
  void append_user(const std::string& content, const std::string* system, std::string& text) const;
  void append_assistant(const std::string& content, std::string& text) const;

  std::string bos_, eos_, where_;
  Kind kind_ = Kind::chatml;
  System system_ = System::refused;
  std::string turn_end_;
  std::string begin_;                      // before all else
  std::string default_system_;             // chatml: the system message of a chat without one
  std::string answer_;                     // what starts the assistant's turn
  bool drops_thoughts_ = false;            // chatml: what an earlier answer has up to "</think>"
  std::string date_;                       // llama3: today, as the template says; "" for none
  std::string open_, close_;               // mistral: around the user's content
  std::string answer_begin_, answer_end_;  // mistral: around the assistant's
  bool trims_answer_ = false;
};

// The chat template of a model directory: chat_template.jinja, else "chat_template" of tokenizer_config.json (of
// several the one named default); of a tokenizer that is not in a directory, that of its files(). DataError if there is
// none, or if the tokenizer lacks the token that ends its turns.
ChatTemplate load_chat_template(const std::string& directory, const Tokenizer& tokenizer);

}  // namespace roformer
