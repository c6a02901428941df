#include "cli/options.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <iostream>
#include <utility>

#include "backend/registry.h"
#include "base/error.h"
#include "base/json.h"
#include "cli/arguments.h"
#include "cli/config_file.h"
#include "cli/did_you_mean.h"
#include "cli/help_text.h"
#include "cli/option_values.h"

namespace roformer {
namespace {

constexpr std::string_view kGeneral = "General";  // a section of --help, always the last
// Options that are not settings and so not in a configuration file.
constexpr std::string_view kHelp = "--help", kConfigFile = "--config-file", kDumpConfig = "--dump-config";

std::string environment_name(std::string_view option) {
  std::string name = "ROFORMER_";
  for (const char c : option.substr(2)) name += c == '-' ? '_' : static_cast<char>(std::toupper(c));
  return name;
}

std::string join(const std::vector<std::string>& words, std::string_view separator) {
  return fmt::format("{}", fmt::join(words, separator));
}

std::string to_toml(const std::string& value) { return toml_string(value); }
std::string to_toml(bool value) { return value ? "true" : "false"; }
template <class Number>
std::string to_toml(Number value) {
  return fmt::format("{}", value);
}
template <class T>
std::string to_toml(const std::optional<T>& value) {
  return value ? to_toml(*value) : "";
}
template <class T>
std::string to_toml(const std::vector<T>& values) {
  std::vector<std::string> parts;
  parts.reserve(values.size());
  for (const T& value : values) parts.push_back(to_toml(value));
  return "[" + join(parts, ", ") + "]";
}

}  // namespace

struct OptionSet::Option {
  std::string name;  // "--top-k", or "TEXT" for a positional
  std::string help, value_name, section;
  std::string spelled;  // in messages: as the user wrote it, else its name
  Setter set;           // one value; of a list, one more
  Printer print;
  std::function<void()> clear;  // lists only: forget the default before the first value
  std::vector<std::string> choices;
  bool words = false;  // a list whose values are split at commas
  bool flag = false, required = false, given = false;

  bool list() const { return clear != nullptr; }
  bool positional() const { return !name.starts_with("-"); }
  bool setting() const { return !positional() && name != kHelp && name != kConfigFile && name != kDumpConfig; }

  // `place` starts the message about a wrong value; later ones call the option `spelling`.
  void assign(const std::vector<std::string>& values, const std::string& place, std::string spelling) {
    if (list()) clear();
    given = true;
    spelled = std::move(spelling);
    for (const std::string& value : values) {
      if (!words) {
        set(value, place);
        continue;
      }
      for (const std::string& part : split_at_commas(value)) set(part, place);
    }
  }

  // As TOML; empty if there is none, or for a flag that is off.
  std::string default_value() const {
    const std::string value = print();
    return positional() || value == "\"\"" || value == "[]" || (flag && value == "false") ? "" : value;
  }
};

OptionSet::OptionSet(std::string_view command, std::string_view summary, std::string_view example)
    : command_(command), summary_(summary), example_(example), section_(kGeneral) {
  add(kHelp, help_asked_, "Show this help");
  add(kConfigFile, config_file_, "Read settings from this TOML file; its keys are the option names", "FILE");
  add(kDumpConfig, dump_asked_, "Print all settings as TOML and exit");
  section_ = "Options";
}

OptionSet::~OptionSet() = default;

void OptionSet::section(std::string_view title) { section_ = title; }

OptionSet::Option& OptionSet::insert(std::string_view name, std::string_view help, std::string_view value_name,
                                     Setter set, Printer print) {
  auto option = std::make_unique<Option>();
  option->name = option->spelled = name;
  option->help = help;
  if (!help.empty()) option->help[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(help[0])));
  option->value_name = value_name;
  option->section = section_;
  option->set = std::move(set);
  option->print = std::move(print);
  options_.push_back(std::move(option));
  return *options_.back();
}

template <class T>
OptionSet::Option& OptionSet::insert_list(std::string_view name, std::vector<T>& field, std::string_view help,
                                          std::string_view value_name,
                                          std::function<T(const std::string&, const std::string&)> read) {
  Option& option = insert(
      name, help, value_name,
      [&field, read](const std::string& value, const std::string& place) { field.push_back(read(value, place)); },
      [&field] { return to_toml(field); });
  option.clear = [&field] { field.clear(); };
  return option;
}

void OptionSet::add(std::string_view name, std::string& field, std::string_view help, std::string_view value_name) {
  insert(
      name, help, value_name, [&field](const std::string& value, const std::string&) { field = value; },
      [&field] { return to_toml(field); });
}

void OptionSet::add(std::string_view name, std::optional<std::string>& field, std::string_view help,
                    std::string_view value_name) {
  insert(
      name, help, value_name, [&field](const std::string& value, const std::string&) { field = value; },
      [&field] { return to_toml(field); });
}

void OptionSet::add(std::string_view name, int64_t& field, std::string_view help, IntegerRange range) {
  insert(
      name, help, "N",
      [&field, range](const std::string& value, const std::string& place) {
        field = parse_integer(value, place, range);
      },
      [&field] { return to_toml(field); });
}

void OptionSet::add(std::string_view name, std::optional<int64_t>& field, std::string_view help, IntegerRange range) {
  insert(
      name, help, "N",
      [&field, range](const std::string& value, const std::string& place) {
        field = parse_integer(value, place, range);
      },
      [&field] { return to_toml(field); });
}

void OptionSet::add(std::string_view name, double& field, std::string_view help, RealRange range) {
  insert(
      name, help, "X",
      [&field, range](const std::string& value, const std::string& place) { field = parse_real(value, place, range); },
      [&field] { return to_toml(field); });
}

void OptionSet::add(std::string_view name, std::optional<double>& field, std::string_view help, RealRange range) {
  insert(
      name, help, "X",
      [&field, range](const std::string& value, const std::string& place) { field = parse_real(value, place, range); },
      [&field] { return to_toml(field); });
}

void OptionSet::add(std::string_view name, bool& field, std::string_view help) {
  insert(
      name, help, "",
      [&field](const std::string& value, const std::string& place) { field = parse_flag(value, place); },
      [&field] { return to_toml(field); })
      .flag = true;
}

void OptionSet::add(std::string_view name, std::optional<bool>& field, std::string_view help) {
  insert(
      name, help, "",
      [&field](const std::string& value, const std::string& place) { field = parse_flag(value, place); },
      [&field] { return to_toml(field); })
      .flag = true;
}

void OptionSet::add(std::string_view name, std::vector<std::string>& field, std::string_view help,
                    std::string_view value_name) {
  insert_list<std::string>(name, field, help, value_name,
                           [](const std::string& value, const std::string&) { return value; });
}

void OptionSet::add_words(std::string_view name, std::vector<std::string>& field, std::string_view help,
                          std::vector<std::string> choices) {
  const std::string text = choices.empty() ? std::string(help) : fmt::format("{}: {}", help, fmt::join(choices, ", "));
  Option& option = insert_list<std::string>(name, field, text, "LIST",
                                            [choices](const std::string& value, const std::string& place) {
                                              if (!choices.empty()) check_choice(value, place, choices);
                                              return value;
                                            });
  option.words = true;
  option.choices = std::move(choices);
}

void OptionSet::add(std::string_view name, std::vector<int64_t>& field, std::string_view help, IntegerRange range) {
  insert_list<int64_t>(name, field, help, "LIST", [range](const std::string& value, const std::string& place) {
    return parse_integer(value, place, range);
  }).words = true;
}

void OptionSet::add(std::string_view name, std::vector<double>& field, std::string_view help, RealRange range) {
  insert_list<double>(name, field, help, "LIST", [range](const std::string& value, const std::string& place) {
    return parse_real(value, place, range);
  }).words = true;
}

void OptionSet::add_choice(std::string_view name, std::string& field, std::vector<std::string> choices,
                           std::string_view help, const std::function<std::vector<std::string>()>& others) {
  insert(
      name, fmt::format("{}: {}", help, fmt::join(choices, ", ")), "NAME",
      [&field, choices, others](const std::string& value, const std::string& place) {
        const bool known = std::find(choices.begin(), choices.end(), value) != choices.end();
        if (!known) check_choice(value, place, others ? others() : choices);
        field = value;
      },
      [&field] { return to_toml(field); })
      .choices = std::move(choices);
}

void OptionSet::add_positional(std::string_view name, std::string& field, std::string_view help) {
  add(name, field, help, name);
}

void OptionSet::add_positional(std::string_view name, std::vector<std::string>& field, std::string_view help) {
  add(name, field, help, name);
}

void OptionSet::require(std::string_view name) { find(name).required = true; }

bool OptionSet::given(std::string_view name) const {
  return std::ranges::any_of(options_, [&](const auto& option) { return option->name == name && option->given; });
}

bool OptionSet::given_in_environment(std::string_view name) const {
  return given(name) && spelled(name) == environment_name(name);
}

std::string OptionSet::spelled(std::string_view name) const {
  for (const auto& option : options_) {
    if (option->name == name) return option->spelled;
  }
  return std::string(name);
}

OptionSet::Option& OptionSet::find(std::string_view name) const {
  const auto found =
      std::find_if(options_.begin(), options_.end(), [&](const auto& option) { return option->name == name; });
  if (found == options_.end()) throw std::logic_error(fmt::format("{} has no option {}", command_, name));
  return **found;
}

bool OptionSet::parse(std::span<const std::string> arguments, std::ostream& out,
                      std::span<const std::string> commands) {
  const std::string help_text = help();  // with the defaults, before fields change
  config_file_.clear();
  help_asked_ = dump_asked_ = false;
  for (const auto& option : options_) {
    option->given = false;
    option->spelled = option->name;
  }
  read_arguments(arguments);
  if (help_asked_) {
    out << help_text;
    return false;
  }
  read_environment();
  read_file(commands);
  if (dump_asked_) {
    if (resolve_) resolve_();
    dump(out);
    return false;
  }
  check_required();
  return true;
}

std::vector<OptionInfo> OptionSet::list() const {
  std::vector<OptionInfo> result;
  for (const bool general : {false, true}) {
    for (const auto& option : options_) {
      if ((option->section == kGeneral) != general) continue;
      result.push_back(
          {.name = option->name,
           .value_name = option->positional() ? "" : option->value_name,
           .help = option->help,
           .section = option->section,
           .default_value = option->default_value(),
           .environment = option->setting() || option->name == kConfigFile ? environment_name(option->name) : "",
           .choices = option->choices,
           .required = option->required,
           .list = option->list()});
    }
  }
  return result;
}

std::string OptionSet::help() const {
  return help_text({.command = command_, .summary = summary_, .example = example_, .options = list()});
}

void OptionSet::read_arguments(std::span<const std::string> arguments) {
  std::vector<OptionSyntax> syntax;
  for (const auto& option : options_) {
    syntax.push_back({.name = option->name, .flag = option->flag, .list = option->list()});
  }
  const auto values = parse_arguments(arguments, syntax, command_);
  for (size_t i = 0; i < options_.size(); ++i) {
    Option& option = *options_[i];
    if (values[i].empty()) continue;
    if (option.list()) {
      option.assign(values[i], option.name, option.name);
    } else {
      option.assign({values[i].back()}, option.name, option.name);
    }
  }
}

void OptionSet::read_environment() {
  for (const auto& option : options_) {
    if (option->given || !(option->setting() || option->name == kConfigFile)) continue;
    if (std::ranges::find(ignored_variables_, option->name) != ignored_variables_.end()) continue;
    const std::string name = environment_name(option->name);
    const char* value = std::getenv(name.c_str());
    if (value == nullptr) continue;
    option->assign(option->list() ? split_at_commas(value) : std::vector<std::string>{value}, name, name);
  }
}

void OptionSet::read_file(std::span<const std::string> commands) {
  if (config_file_.empty()) return;
  read_entries(read_config_file(config_file_, command_, commands), "roformer " + command_);
}

void OptionSet::read_entries(std::span<const ConfigEntry> entries, std::string_view owner) {
  std::vector<std::string> keys;
  for (const auto& option : options_) {
    if (option->setting()) keys.push_back(option->name.substr(2));
  }
  for (const ConfigEntry& entry : entries) {
    if (std::find(keys.begin(), keys.end(), entry.key) == keys.end()) {
      throw UsageError("{} is not a setting of {}{}", entry.place(), owner, did_you_mean(entry.key, keys));
    }
    Option& option = find("--" + entry.key);
    if (option.given) continue;
    if (!option.list() && entry.values.size() != 1) {
      throw UsageError("{}: expected one value, got an array of {}", entry.place(), entry.values.size());
    }
    option.assign(entry.values, entry.place(), entry.spelled());
  }
}

void OptionSet::check_required() const {
  std::vector<std::string> missing;
  for (const auto& option : options_) {
    if (option->required && !option->given) missing.push_back(option->name);
  }
  if (!missing.empty())
    throw UsageError("{} {} required; see roformer {} --help", join(missing, ", "), missing.size() == 1 ? "is" : "are",
                     command_);
}

void OptionSet::dump(std::ostream& out) const {
  out << "# roformer " << command_ << "\n";
  for (const auto& option : options_) {
    if (!option->setting()) continue;
    const std::string value = option->print();
    out << (value.empty() ? "# " : "") << option->name.substr(2) << " = " << value << "\n";
  }
}

void add_threads(OptionSet& options, int64_t& threads) {
  constexpr int64_t kMaxThreads = 1024;
  options.add("--threads", threads,
              "Threads to use; 0 = one for each CPU that the process may use (affinity, cgroup quota)",
              {0, kMaxThreads});
}

void add_seed(OptionSet& options, int64_t& seed) {
  options.add("--seed", seed, "Random seed; the same seed gives the same result", {.low = 0});
}

void add_device(OptionSet& options, std::string& device) {
  options.add_choice("--device", device, {"cpu", "reference"}, "Device to compute on, or the name of a plug-in",
                     backend_names);
}

void add_json(OptionSet& options, bool& json) { options.add("--json", json, "Print one JSON object per line"); }

}  // namespace roformer
