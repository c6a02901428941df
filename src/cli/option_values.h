// How the text of an option's value becomes a value. All functions throw UsageError "PLACE: expected …, got …", where
// `place` says where the text came from: an option's name, an environment variable, a line of a file.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/setting.h"

namespace roformer {

int64_t parse_integer(const std::string& value, const std::string& place, IntegerRange range);
double parse_real(const std::string& value, const std::string& place, const RealRange& range);
bool parse_flag(const std::string& value, const std::string& place);  // true 1 yes on, false 0 no off
void check_choice(const std::string& value, const std::string& place, const std::vector<std::string>& choices);

std::vector<std::string> split_at_commas(const std::string& text);  // "" is one empty part

}  // namespace roformer
