// A setting set from text, by its name: for what names settings in texts of its own, as a sweep does. The command
// line's options are made by cli/setting_options.h.
#pragma once

#include <algorithm>
#include <charconv>
#include <optional>
#include <string>
#include <vector>

#include "base/setting.h"

namespace roformer {

// The whole text as a number, which may begin with a plus sign.
template <class Number>
std::optional<Number> parse_number(const std::string& text) {
  Number number{};
  const char* begin = text.data() + (text.starts_with('+') && text.size() > 1 && text[1] != '-' ? 1 : 0);
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(begin, end, number);
  if (error != std::errc() || stop != end) return std::nullopt;
  return number;
}

// The visitor that sets the setting `name`, in its field's spelling or hyphenated, to what `text` says; lists are
// separated by commas. UsageError, naming the setting, for text that is no value of it.
class SettingFromText {
 public:
  SettingFromText(const std::string& name, const std::string& text) : name_(hyphenated(name)), text_(text) {}

  void section(std::string_view) {}
  void integer(auto& field, const Setting& setting, const IntegerRange& range) {
    if (is(setting)) field = integer(setting, range);
  }
  void real(auto& field, const Setting& setting, const RealRange& range) {
    if (is(setting)) field = real(setting, range);
  }
  void choice(std::string& field, const Setting& setting, const std::vector<std::string>& choices) {
    if (is(setting)) field = word(text_, setting, choices);
  }
  void flag(bool& field, const Setting& setting) {
    if (is(setting)) field = flag(setting);
  }
  void text(auto& field, const Setting& setting, std::string_view /*value_name*/) {
    if (is(setting)) field = text_;
  }
  void texts(std::vector<std::string>& field, const Setting& setting, std::string_view /*value_name*/) {
    if (is(setting)) field = parts();
  }
  void words(std::vector<std::string>& field, const Setting& setting, const std::vector<std::string>& choices) {
    if (!is(setting)) return;
    field = parts();
    for (const std::string& part : field) word(part, setting, choices);
  }

  bool found() const { return found_; }
  const std::vector<std::string>& names() const { return names_; }  // of all settings visited, hyphenated

 private:
  bool is(const Setting& setting);
  int64_t integer(const Setting& setting, const IntegerRange& range) const;
  double real(const Setting& setting, const RealRange& range) const;
  bool flag(const Setting& setting) const;
  static const std::string& word(const std::string& text, const Setting& setting,
                                 const std::vector<std::string>& choices);
  std::vector<std::string> parts() const;

  std::string name_, text_;
  std::vector<std::string> names_;
  bool found_ = false;
};

[[noreturn]] void fail_unknown_setting(const std::string& name, const std::vector<std::string>& names);

// UsageError also for a name that is no setting's, listing those there are.
template <class Options>
void set_setting(Options& options, const std::string& name, const std::string& text) {
  SettingFromText visitor(name, text);
  visit_settings(options, visitor);
  if (!visitor.found()) fail_unknown_setting(name, visitor.names());
}

}  // namespace roformer
