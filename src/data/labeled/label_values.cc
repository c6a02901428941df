#include "data/labeled/label_values.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/json.h"

namespace roformer {
namespace {

std::optional<int64_t> parse_whole(std::string_view text) {
  const auto value = parse_finite(text);
  if (!value || std::abs(*value) > 1e15 || *value != std::floor(*value)) return std::nullopt;
  return static_cast<int64_t>(*value);
}

bool equal_but_capitals(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

}  // namespace

std::string_view trim_spaces(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1);
}

std::optional<double> parse_finite(std::string_view text) {
  if (text.starts_with('+') && !text.starts_with("+-")) text.remove_prefix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) return std::nullopt;
  return value;
}

std::optional<std::string> find_label(std::span<const std::string> labels, std::string_view text) {
  if (const auto exact = std::find(labels.begin(), labels.end(), text); exact != labels.end()) return *exact;
  for (const std::string& label : labels) {
    if (equal_but_capitals(label, text)) return label;
  }
  const auto number = parse_whole(text);
  if (number) {
    for (const std::string& label : labels) {
      if (parse_whole(label) == number) return label;
    }
    const bool words = std::none_of(labels.begin(), labels.end(), [](const std::string& l) { return parse_finite(l); });
    if (words && *number >= 0 && static_cast<size_t>(*number) < labels.size()) {
      return labels[static_cast<size_t>(*number)];
    }
  }
  if (labels.size() == 2 && labels[0] == "0" && labels[1] == "1") {
    if (equal_but_capitals(text, "false")) return labels[0];
    if (equal_but_capitals(text, "true")) return labels[1];
  }
  return std::nullopt;
}

std::optional<std::vector<std::string>> split_labels(std::string_view text) {
  std::vector<std::string> labels;
  text = trim_spaces(text);
  if (text.starts_with('[')) {
    Json list;
    try {
      list = parse_json(text, "labels");
    } catch (const DataError&) {
      return std::nullopt;
    }
    for (const Json& label : list) {
      if (!label.is_string() && !label.is_number() && !label.is_boolean()) return std::nullopt;
      labels.push_back(label.is_string() ? label.get<std::string>() : label.dump());
    }
    return labels;
  }
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find_first_of(",;|", begin), text.size());
    if (const auto label = trim_spaces(text.substr(begin, end - begin)); !label.empty()) labels.emplace_back(label);
    begin = end + 1;
  }
  return labels;
}

std::optional<int64_t> find_choice(std::span<const std::string> choices, std::string_view text) {
  const auto same = [text](const std::string& choice) { return trim_spaces(choice) == text; };
  if (const auto exact = std::find_if(choices.begin(), choices.end(), same); exact != choices.end()) {
    return exact - choices.begin();
  }
  if (text.size() == 1 && std::isalpha(static_cast<unsigned char>(text[0])) != 0) {
    const int64_t index = std::toupper(static_cast<unsigned char>(text[0])) - 'A';
    if (static_cast<size_t>(index) < choices.size()) return index;
  }
  return find_choice_number(choices, text);
}

std::optional<int64_t> find_choice_number(std::span<const std::string> choices, std::string_view text) {
  const auto number = parse_whole(text);
  if (!number || *number < 0 || static_cast<size_t>(*number) >= choices.size()) return std::nullopt;
  return number;
}

void write_whole_numbers(std::span<std::string* const> labels) {
  if (!std::all_of(labels.begin(), labels.end(), [](const std::string* label) { return parse_whole(*label); })) return;
  for (std::string* label : labels) {
    if (label->find('.') != std::string::npos) *label = std::to_string(*parse_whole(*label));
  }
}

}  // namespace roformer
