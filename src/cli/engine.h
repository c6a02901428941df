// What several commands take: the backend (--device, --threads, --dtype) and the shape of a model.
#pragma once

#include <string>
#include <vector>

#include "cli/options.h"
#include "inference/session.h"
#include "models/config.h"

namespace roformer {

// Training has no int8.
inline void add_engine(OptionSet& set, EngineOptions& options, bool training = false) {
  add_threads(set, options.threads);
  add_device(set, options.device);
  std::vector<std::string> choices{"float32", "bfloat16"};
  if (!training) choices.emplace_back("int8");
  set.add_choice("--dtype", options.dtype, choices, "numbers to multiply; sums and everything else are float32");
}

// What a backend multiplies: "linear: weights int8, …; attention: float32".
std::string numbers_line(const Backend& backend);

// --preset and the options that differ from it; --position and --attention unless several are asked for otherwise.
void add_shape(OptionSet& set, ShapeOptions& shape, bool alone = true);

// Warns on standard error of config.json keys this program does not know.
void warn_unknown_keys(const std::string& directory, const std::vector<std::string>& keys);
inline void warn_unknown_keys(const Session& session) {
  warn_unknown_keys(session.directory(), session.unknown_keys());
}

}  // namespace roformer
