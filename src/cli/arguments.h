// Assigns the arguments of a command line to options. They are never changed or split: brackets, commas, quotes and
// empty strings are used as written.
//   --name VALUE, --name=VALUE   a value: no option's name (-5 and -foo are values), but anything after "="
//   --name VALUE VALUE...        of a list: all up to the next option
//   --flag, --flag=false         of a flag: only after "="
//   --                           the end of options: what follows belongs to the positionals
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace roformer {

// Of an option or a positional.
struct OptionSyntax {
  std::string name;  // "--top-k", or "TEXT" for a positional
  bool flag = false, list = false;

  bool positional() const { return !name.starts_with("-"); }
};

// For each of `options` its values in the order written, "true" for a flag without one; empty if it is not there. -h is
// --help. UsageError for an unknown option, naming the nearest, an option without its value, and a text that no
// positional takes; messages recommend the --help of `command`.
std::vector<std::vector<std::string>> parse_arguments(std::span<const std::string> arguments,
                                                      std::span<const OptionSyntax> options, std::string_view command);

}  // namespace roformer
