// What somebody who misspelled a name may have meant.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace roformer {

// "; did you mean X?" for the candidate that begins with `word`, or is a few letters away from it, else empty.
std::string did_you_mean(std::string_view word, std::span<const std::string> candidates);

}  // namespace roformer
