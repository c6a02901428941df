// Character references of mark-up: &amp;, &uuml;, &#8217;, &#x2019;.
#pragma once

#include <optional>
#include <string_view>

namespace roformer {

// The bytes of the reference that `text` begins with, up to its ";"; 0 if there is none.
size_t entity_length(std::string_view text);

// The character of a reference with its "&" and ";". None for a name that is not known (XML's five, those of Latin-1
// and of punctuation are) and for a control character.
std::optional<char32_t> entity_character(std::string_view entity);

}  // namespace roformer
