// Options of the command line made from settings (base/setting.h): max_length becomes --max-length.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/setting.h"
#include "cli/options.h"

namespace roformer {

std::string option_name(std::string_view setting);  // "--max-length"
std::string option_help(std::string_view help);     // "that of `init_from`" says --init-from

// The visitor that adds an option for each setting but those left out, or for only some. The set's rule holds: the
// visited fields must outlive it.
class SettingOptions {
 public:
  SettingOptions(const SettingOptions&) = delete;
  SettingOptions& operator=(const SettingOptions&) = delete;
  explicit SettingOptions(OptionSet& set, std::vector<std::string_view> left_out = {})
      : set_(set), listed_(std::move(left_out)) {}
  static SettingOptions only(OptionSet& set, std::vector<std::string_view> settings) {
    return {set, std::move(settings), true};
  }

  void section(std::string_view title) { set_.section(title); }
  void integer(auto& field, const Setting& setting, const IntegerRange& range) {
    add(setting, [&](const std::string& name, const std::string& help) { set_.add(name, field, help, range); });
  }
  void real(auto& field, const Setting& setting, const RealRange& range) {
    add(setting, [&](const std::string& name, const std::string& help) { set_.add(name, field, help, range); });
  }
  void choice(std::string& field, const Setting& setting, const std::vector<std::string>& choices) {
    add(setting,
        [&](const std::string& name, const std::string& help) { set_.add_choice(name, field, choices, help); });
  }
  void flag(bool& field, const Setting& setting) {
    add(setting, [&](const std::string& name, const std::string& help) { set_.add(name, field, help); });
  }
  void text(auto& field, const Setting& setting, std::string_view value_name) {
    add(setting, [&](const std::string& name, const std::string& help) { set_.add(name, field, help, value_name); });
  }
  void texts(std::vector<std::string>& field, const Setting& setting, std::string_view value_name) {
    add(setting, [&](const std::string& name, const std::string& help) { set_.add(name, field, help, value_name); });
  }
  void words(std::vector<std::string>& field, const Setting& setting, const std::vector<std::string>& choices) {
    add(setting, [&](const std::string& name, const std::string& help) { set_.add_words(name, field, help, choices); });
  }

 private:
  SettingOptions(OptionSet& set, std::vector<std::string_view> settings, bool only)
      : set_(set), listed_(std::move(settings)), only_(only) {}

  void add(const Setting& setting, const auto& add_option) {
    const bool listed = std::ranges::find(listed_, setting.name) != listed_.end();
    if (listed != only_) return;
    const std::string name = option_name(setting.name);
    add_option(name, option_help(setting.help));
    if (setting.required) set_.require(name);
  }

  OptionSet& set_;
  std::vector<std::string_view> listed_;  // the settings to add if only_, else those to leave out
  bool only_ = false;
};

}  // namespace roformer
