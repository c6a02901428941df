// A chat template's expressions in one spelling, to look for known ones.
#pragma once

#include <string>
#include <string_view>

namespace roformer {

// A Jinja template without comments, without white space outside of strings, with strings in single quotes and their
// escapes resolved, and with message['role'] and message['content'] for message.role and message.content.
std::string chat_template_pieces(std::string_view jinja);

}  // namespace roformer
