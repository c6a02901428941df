#include "base/setting_text.h"

#include <fmt/ranges.h>

#include "base/error.h"
#include "base/json.h"

namespace roformer {

bool SettingFromText::is(const Setting& setting) {
  names_.push_back(hyphenated(setting.name));
  if (names_.back() != name_) return false;
  found_ = true;
  return true;
}

int64_t SettingFromText::integer(const Setting& setting, const IntegerRange& range) const {
  const auto number = parse_number<int64_t>(text_);
  if (number && range.contains(*number)) return *number;
  throw UsageError("{}: expected {}, got {}", FieldName(setting.name), range.expected(), quote(text_));
}

double SettingFromText::real(const Setting& setting, const RealRange& range) const {
  const auto number = parse_number<double>(text_);
  if (number && range.contains(*number)) return *number;
  throw UsageError("{}: expected {}, got {}", FieldName(setting.name), range.expected(), quote(text_));
}

bool SettingFromText::flag(const Setting& setting) const {
  if (text_ == "true") return true;
  if (text_ == "false") return false;
  throw UsageError("{}: expected true or false, got {}", FieldName(setting.name), quote(text_));
}

const std::string& SettingFromText::word(const std::string& text, const Setting& setting,
                                         const std::vector<std::string>& choices) {
  if (std::ranges::find(choices, text) != choices.end()) return text;
  throw UsageError("{}: expected {}, got {}", FieldName(setting.name), fmt::join(choices, ", "), quote(text));
}

std::vector<std::string> SettingFromText::parts() const {
  std::vector<std::string> parts;
  for (size_t begin = 0; begin <= text_.size();) {
    const size_t end = std::min(text_.find(',', begin), text_.size());
    parts.push_back(text_.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

void fail_unknown_setting(const std::string& name, const std::vector<std::string>& names) {
  throw UsageError("there is no setting {}, expected one of {}", quote(name), fmt::join(names, ", "));
}

}  // namespace roformer
