#include "cli/arguments.h"

#include <algorithm>
#include <cctype>

#include "base/error.h"
#include "base/json.h"
#include "cli/did_you_mean.h"

namespace roformer {
namespace {

constexpr std::string_view kEndOfOptions = "--";

bool is_option(std::string_view argument) { return argument == "-h" || argument.starts_with("--"); }

// "-k": as a text it is likely a mistake.
bool looks_like_option(std::string_view text) {
  return text.size() >= 2 && text[0] == '-' && std::isalpha(static_cast<unsigned char>(text[1]));
}

std::string name_of(const std::string& argument) { return argument.substr(0, argument.find('=')); }

class ArgumentParser {
 public:
  ArgumentParser(std::span<const std::string> arguments, std::span<const OptionSyntax> options,
                 std::string_view command)
      : rest_(arguments), options_(options), command_(command), values_(options.size()) {}

  std::vector<std::vector<std::string>> parse() {
    bool options_ended = false;
    while (!rest_.empty()) {
      const std::string& argument = next();
      if (options_ended || !is_option(argument)) {
        take_text(argument, !options_ended && looks_like_option(argument));
      } else if (argument == kEndOfOptions) {
        options_ended = true;
      } else {
        take_option(argument);
      }
    }
    return values_;
  }

 private:
  const std::string& next() {
    const std::string& argument = rest_.front();
    rest_ = rest_.subspan(1);
    return argument;
  }

  size_t find(const std::string& argument) const {
    const std::string name = argument == "-h" ? "--help" : name_of(argument);
    std::vector<std::string> names;
    for (size_t i = 0; i < options_.size(); ++i) {
      if (options_[i].name == name) return i;
      if (!options_[i].positional()) names.push_back(options_[i].name);
    }
    throw UsageError("unknown option {}{}", quote(name), did_you_mean(name, names));
  }

  void take_option(const std::string& argument) {
    const size_t index = find(argument);
    const OptionSyntax& option = options_[index];
    std::vector<std::string>& values = values_[index];
    const size_t equals = argument.find('=');
    if (equals != std::string::npos) {
      values.push_back(argument.substr(equals + 1));
    } else if (option.flag) {
      values.emplace_back("true");
    } else {
      check_value_follows(option);
      values.push_back(next());
    }
    if (!option.list) return;
    while (!rest_.empty() && !is_option(rest_.front())) values.push_back(next());
  }

  void check_value_follows(const OptionSyntax& option) const {
    if (rest_.empty()) throw UsageError("{}: expected a value; see roformer {} --help", option.name, command_);
    const std::string& argument = rest_.front();
    if (!is_option(argument)) return;
    if (argument != kEndOfOptions) find(argument);  // an unknown one is the mistake to name
    throw UsageError("{}: expected a value, got the option {}", option.name, name_of(argument));
  }

  void take_text(const std::string& text, bool dubious) {
    const auto open = [&](size_t i) { return options_[i].positional() && (options_[i].list || values_[i].empty()); };
    size_t index = 0;
    while (index < options_.size() && !open(index)) ++index;
    if (index == options_.size()) {
      throw UsageError("{} {}; see roformer {} --help", dubious ? "unknown option" : "unexpected argument", quote(text),
                       command_);
    }
    if (dubious) throw UsageError("unknown option {} (a text that starts with a dash goes after --)", quote(text));
    values_[index].push_back(text);
  }

  std::span<const std::string> rest_;
  std::span<const OptionSyntax> options_;
  std::string_view command_;
  std::vector<std::vector<std::string>> values_;
};

}  // namespace

std::vector<std::vector<std::string>> parse_arguments(std::span<const std::string> arguments,
                                                      std::span<const OptionSyntax> options, std::string_view command) {
  return ArgumentParser(arguments, options, command).parse();
}

}  // namespace roformer
