// Settings in a TOML file: plain keys with a value or an array of values, no tables. Reading is toml++'s work.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace roformer {

struct ConfigEntry {
  std::string key;
  std::vector<std::string> values;  // as they would be written on the command line
  std::string place;                // "FILE:LINE: key", to start a message
};

// DataError with file and line for what is not TOML or not a plain setting, FileError if it cannot be read.
std::vector<ConfigEntry> read_config_file(const std::string& path);

// A text as a TOML string, quotes included. UsageError if it is not UTF-8, as TOML cannot hold it.
std::string toml_string(std::string_view text);

}  // namespace roformer
