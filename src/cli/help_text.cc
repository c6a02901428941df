#include "cli/help_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

namespace roformer {
namespace {

constexpr size_t kHelpColumn = 30, kHelpWidth = 80 - kHelpColumn;

bool is_positional(const OptionInfo& option) { return !option.name.starts_with("-"); }

// Lines of at most kHelpWidth characters, which begin in kHelpColumn.
std::string wrapped(std::string_view text) {
  const std::string new_line = "\n" + std::string(kHelpColumn, ' ');
  std::string result;
  size_t used = 0;
  while (!text.empty()) {
    const std::string_view word = text.substr(0, text.find(' '));
    text.remove_prefix(std::min(text.size(), word.size() + 1));
    if (used > 0) {
      const bool fits = used + 1 + word.size() <= kHelpWidth;
      result += fits ? " " : new_line;
      used = fits ? used + 1 : 0;
    }
    result += word;
    used += word.size();
  }
  return result;
}

std::string description(const OptionInfo& option) {
  if (option.required) return option.help + " (required)";
  if (option.default_value.empty()) return option.help;
  const bool flag = option.value_name.empty();
  return option.help + (flag ? fmt::format(" (default; switch off with {}=false)", option.name)
                             : fmt::format(" (default {})", option.default_value));
}

std::string entry(const OptionInfo& option) {
  std::string label = "  " + (option.name == "--help" ? "-h,--help" : option.name);
  if (!option.value_name.empty()) label += " " + option.value_name;
  if (option.list && !is_positional(option) && option.value_name != "LIST") label += "...";
  const std::string text = wrapped(description(option));
  if (label.size() < kHelpColumn || text.empty()) return fmt::format("{:<{}}{}\n", label, kHelpColumn, text);
  return fmt::format("{}\n{:{}}{}\n", label, "", kHelpColumn, text);
}

std::string usage(const HelpPage& page) {
  std::string line = fmt::format("Usage: roformer {} [OPTIONS]", page.command);
  for (const OptionInfo& option : page.options) {
    if (!is_positional(option)) continue;
    const std::string name = option.name + (option.list ? "..." : "");
    line += option.required ? " " + name : " [" + name + "]";
  }
  return line;
}

}  // namespace

std::string help_text(const HelpPage& page) {
  std::string text = fmt::format("{}\n\n{}\n", page.summary, usage(page)), section;
  for (const OptionInfo& option : page.options) {
    if (!is_positional(option)) continue;
    if (section.empty()) text += "\nPositionals:\n";
    section = "Positionals";
    text += entry(option);
  }
  for (const OptionInfo& option : page.options) {
    if (is_positional(option)) continue;
    if (option.section != section) text += fmt::format("\n{}:\n", option.section);
    section = option.section;
    text += entry(option);
  }
  return page.example.empty() ? text : text + fmt::format("\nExample:\n  {}\n", page.example);
}

}  // namespace roformer
