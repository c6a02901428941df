// Settings: everything about a field of an options struct, described once. The struct has beside it a function
//
//   template <OptionsOf<RunOptions> Options>
//   void visit_settings(Options& options, auto& visitor) {
//     visitor.section("Run");
//     visitor.integer(options.steps, {"steps", "updates"}, {.low = 1});
//   }
//
// and whatever fills, shows, checks or compares the fields is a visitor with the member functions of SettingValues: the
// command line (cli/setting_options.h), and here the visitors that return the values and check them. An options struct
// that is part of another is visited by its own function. A table of pointers to members was rejected: it cannot say
// that the use of a setting depends on another, nor reach into a struct of a struct. Names are those of the fields; the
// command line spells them otherwise. Help refers to other settings in backquotes: "that of `init_from`".
#pragma once

#include <concepts>
#include <cstdint>
#include <limits>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>
#include <vector>

namespace roformer {

// An options struct, to be read or to be filled.
template <class Options, class Plain>
concept OptionsOf = std::same_as<std::remove_const_t<Options>, Plain>;

struct IntegerRange {
  int64_t low = std::numeric_limits<int64_t>::min(), high = std::numeric_limits<int64_t>::max();

  bool contains(int64_t value) const { return value >= low && value <= high; }
  std::string expected() const;  // "an integer of at least 1"
};

// Values are always finite.
struct RealRange {
  double low = std::numeric_limits<double>::lowest(), high = std::numeric_limits<double>::max();
  bool low_excluded = false, high_excluded = false;

  bool contains(double value) const;
  std::string expected() const;  // "a number above 0 and at most 1"
};

// How a setting affects the result of a run, and so how a resumed run is compared with how it was started.
enum class Effect {
  none,      // where things go, what is shown
  result,    // compared by its value
  resolved,  // compared by its resolved value, which only the run knows: a preset's default, the content of a file
};

// Why a setting is unused: the name of another one, and its effect ("clm masks nothing").
struct Unused {
  std::string_view setting = {}, because = {};
};

struct Setting {
  std::string_view name;  // of the field: "max_length"
  std::string_view help;  // begins in lower case, without a full stop
  Effect effect = Effect::none;
  bool required = false;
  std::optional<Unused> unused = {};  // then it must have its default
};

// "max-length": how command lines and files write a name.
std::string hyphenated(std::string_view name);

// Empty for an optional that is.
using SettingValue = std::variant<std::monostate, bool, int64_t, double, std::string, std::vector<std::string>>;
nlohmann::json to_json(const SettingValue& value);  // null for an empty one

// The visitor that collects the values of all settings.
class SettingValues {
 public:
  struct Entry {
    std::string name;
    Effect effect;
    std::optional<Unused> unused;
    SettingValue value;
  };

  void section(std::string_view) {}
  void integer(const auto& field, const Setting& setting, const IntegerRange&) { add(setting, value(field)); }
  void real(const auto& field, const Setting& setting, const RealRange&) { add(setting, value(field)); }
  void choice(const std::string& field, const Setting& setting, const std::vector<std::string>&) {
    add(setting, field);
  }
  void flag(bool field, const Setting& setting) { add(setting, field); }
  // `value_name` is what a text stands for: FILE, DIR, NAME.
  void text(const auto& field, const Setting& setting, std::string_view /*value_name*/) { add(setting, value(field)); }
  void texts(const std::vector<std::string>& field, const Setting& setting, std::string_view /*value_name*/) {
    add(setting, field);
  }
  // Several of a few words.
  void words(const std::vector<std::string>& field, const Setting& setting, const std::vector<std::string>&) {
    add(setting, field);
  }

  const std::vector<Entry>& entries() const { return entries_; }

 private:
  template <class T>
  static SettingValue value(const T& field) {
    return field;
  }
  template <class T>
  static SettingValue value(const std::optional<T>& field) {
    return field ? SettingValue(*field) : SettingValue();
  }
  void add(const Setting& setting, SettingValue value);

  std::vector<Entry> entries_;
};

template <class Options>
SettingValues setting_values(const Options& options) {
  SettingValues values;
  visit_settings(options, values);
  return values;
}

// The visitor that throws UsageError for a value outside its range or choices.
class SettingRanges {
 public:
  void section(std::string_view) {}
  void integer(const std::optional<int64_t>& field, const Setting& setting, const IntegerRange& range) const;
  void real(const std::optional<double>& field, const Setting& setting, const RealRange& range) const;
  void choice(const std::string& field, const Setting& setting, const std::vector<std::string>& choices) const;
  void flag(bool, const Setting&) {}
  void text(const auto&, const Setting&, std::string_view) {}
  void texts(const std::vector<std::string>&, const Setting&, std::string_view) {}
  void words(const std::vector<std::string>& field, const Setting& setting,
             const std::vector<std::string>& choices) const;
};

// UsageError for a setting that is unused and yet not what it is in `defaults`.
void check_unused(const SettingValues& values, const SettingValues& defaults);

// UsageError for a value out of its range or choices, and for an unused setting that is not at its default.
template <class Options>
void check_settings(const Options& options) {
  SettingRanges ranges;
  visit_settings(options, ranges);
  check_unused(setting_values(options), setting_values(Options{}));
}

}  // namespace roformer
