#include "cli/engine.h"

#include <fmt/ranges.h>

#include <iostream>
#include <string_view>

#include "cli/setting_options.h"
#include "models/shape_settings.h"

namespace roformer {

std::string numbers_line(const Backend& backend) {
  std::vector<std::string> uses;
  for (const NumberTypeUse& use : backend.number_types()) uses.push_back(use.what + ": " + use.with);
  return fmt::format("{}", fmt::join(uses, "; "));
}

void add_shape(OptionSet& set, ShapeOptions& shape, bool alone) {
  SettingOptions options(
      set, alone ? std::vector<std::string_view>{} : std::vector<std::string_view>{"position", "attention"});
  visit_settings(shape, options);
}

void print_warning(const std::string& warning) { std::cerr << fmt::format("roformer: {}\n", warning); }

void print_warnings(const LoadNotes& notes) { std::ranges::for_each(notes.warnings, print_warning); }

}  // namespace roformer
