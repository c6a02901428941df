// Settings in a TOML file: keys with a value or an array of values, for every command at top level, for one command in
// a table of its name. Parsed by toml++.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace roformer {

struct ConfigEntry {
  std::string key;
  std::vector<std::string> values;  // as they would be written on the command line
  std::string location;             // "FILE:LINE"

  std::string place() const;    // FILE:LINE: "key", to start a message
  std::string spelled() const;  // "key" (FILE:LINE), within one
};

// The entries of the table `command`, then those at top level, which apply where the table has no such key. Tables of
// other `commands` are ignored. UsageError for other tables, DataError with file and line for what is not TOML or
// not a plain setting, FileError if it cannot be read.
std::vector<ConfigEntry> read_config_file(const std::string& path, std::string_view command,
                                          std::span<const std::string> commands);

// The entries of each table of the array `name`, [[name]]. DataError, with file and line where there is one, for what
// is not TOML, no such table, or anything else in the file; FileError if it cannot be read.
std::vector<std::vector<ConfigEntry>> read_config_tables(const std::string& path, std::string_view name);

// A text as a TOML string, quotes included. UsageError if it is not UTF-8, which TOML requires.
std::string toml_string(std::string_view text);

}  // namespace roformer
