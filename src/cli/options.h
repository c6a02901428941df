// OptionSet: the options of one sub-command, each registered once: its name, the field it fills, its help.
// From that come parsing, --help, an environment name (--top-k: ROFORMER_TOP_K), a key of the TOML file given with
// --config-file (top-k), and --dump-config. The command line overrides the environment, which overrides the file,
// which overrides the field's initial value, the default that --help shows.
#pragma once

#include <cstdint>
#include <functional>
#include <iosfwd>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/setting.h"

namespace roformer {

struct ConfigEntry;

// An option as shown in pages and scripts generated from all of them.
struct OptionInfo {
  std::string name;        // "--top-k", or "TEXT" for a positional
  std::string value_name;  // "N"; empty for flags and positionals
  std::string help, section;
  std::string default_value;  // as TOML; empty if there is none to show
  std::string environment;    // "ROFORMER_TOP_K"; empty if no variable sets it
  std::vector<std::string> choices;
  bool required = false, list = false;
};

// Fields must outlive the OptionSet. Names are written with their dashes: "--top-k". An optional field that is empty
// has no default.
class OptionSet {
 public:
  OptionSet(std::string_view command, std::string_view summary, std::string_view example = {});
  ~OptionSet();
  OptionSet(const OptionSet&) = delete;
  OptionSet& operator=(const OptionSet&) = delete;

  // The options added from here on are listed under this heading of --help.
  void section(std::string_view title);

  void add(std::string_view name, std::string& field, std::string_view help, std::string_view value_name = "TEXT");
  void add(std::string_view name, std::optional<std::string>& field, std::string_view help,
           std::string_view value_name = "TEXT");
  void add(std::string_view name, int64_t& field, std::string_view help, IntegerRange range = {});
  void add(std::string_view name, std::optional<int64_t>& field, std::string_view help, IntegerRange range = {});
  void add(std::string_view name, double& field, std::string_view help, RealRange range = {});
  void add(std::string_view name, std::optional<double>& field, std::string_view help, RealRange range = {});
  void add(std::string_view name, bool& field, std::string_view help);  // a flag: --json, also --json=false
  void add(std::string_view name, std::optional<bool>& field, std::string_view help);
  // One or more values after the name, which may be repeated: --data a.txt b.txt --data c.txt. Any value replaces the
  // default. Only in an environment variable values are separated by commas.
  void add(std::string_view name, std::vector<std::string>& field, std::string_view help,
           std::string_view value_name = "FILE");
  // Words or numbers separated by commas (or as above): --lengths 5,17,512.
  void add_words(std::string_view name, std::vector<std::string>& field, std::string_view help,
                 std::vector<std::string> choices = {});
  void add(std::string_view name, std::vector<int64_t>& field, std::string_view help, IntegerRange range = {});
  void add(std::string_view name, std::vector<double>& field, std::string_view help, RealRange range = {});
  // One of `choices`, or of `others`, which is called only if it is none of these.
  void add_choice(std::string_view name, std::string& field, std::vector<std::string> choices, std::string_view help,
                  const std::function<std::vector<std::string>()>& others = nullptr);
  // Arguments without a name, in this order: "INDEX", then "TEXT" for the rest.
  void add_positional(std::string_view name, std::string& field, std::string_view help);
  void add_positional(std::string_view name, std::vector<std::string>& field, std::string_view help);

  // parse() then throws UsageError if it has no value.
  void require(std::string_view name);

  // Called when the fields are filled and --dump-config is to show them: fills in defaults that depend on others.
  void before_dump(std::function<void()> resolve) { resolve_ = std::move(resolve); }

  // Fills the fields; false if --help or --dump-config was asked for and has been written to `out`.
  // UsageError for any mistake, naming the option, variable or line of the file it came from. `commands` are those
  // whose tables the file may hold beside the one of this command.
  bool parse(std::span<const std::string> arguments, std::ostream& out, std::span<const std::string> commands = {});

  // Fills the fields that entries of a file name, but those given elsewhere. UsageError for a key that is no setting
  // "of `owner`", and for a wrong value.
  void read_entries(std::span<const ConfigEntry> entries, std::string_view owner);

  // parse() does not read the variables of these options.
  void ignore_variables(std::vector<std::string> names) { ignored_variables_ = std::move(names); }

  // After parse(): whether the user set it, and whether in the environment.
  bool given(std::string_view name) const;
  bool given_in_environment(std::string_view name) const;
  // How a message names it: as the user did, --top-k, ROFORMER_TOP_K or "top-k" (FILE:LINE); --top-k for defaults.
  std::string spelled(std::string_view name) const;

  std::string help() const;
  std::vector<OptionInfo> list() const;  // in the order of --help

 private:
  struct Option;
  // Reads one value, or throws a UsageError that starts with `place`.
  using Setter = std::function<void(const std::string& value, const std::string& place)>;
  using Printer = std::function<std::string()>;  // the value as TOML; empty = none

  Option& insert(std::string_view name, std::string_view help, std::string_view value_name, Setter set, Printer print);
  template <class T>
  Option& insert_list(std::string_view name, std::vector<T>& field, std::string_view help, std::string_view value_name,
                      std::function<T(const std::string&, const std::string&)> read);
  Option& find(std::string_view name) const;
  void read_arguments(std::span<const std::string> arguments);
  void read_environment();
  void read_file(std::span<const std::string> commands);
  void check_required() const;
  void dump(std::ostream& out) const;

  std::string command_, summary_, example_, section_;
  std::string config_file_;
  std::function<void()> resolve_;
  bool help_asked_ = false, dump_asked_ = false;
  std::vector<std::unique_ptr<Option>> options_;
  std::vector<std::string> ignored_variables_;
};

// The options that mean the same in every command that has them.
void add_threads(OptionSet& options, int64_t& threads);  // 0 = one for each CPU that may be used
void add_seed(OptionSet& options, int64_t& seed);
void add_device(OptionSet& options, std::string& device);  // cpu, reference or a plug-in's
void add_json(OptionSet& options, bool& json);

}  // namespace roformer
