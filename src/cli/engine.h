// Options of several commands: the backend (--device, --threads, --dtype) and the shape of a model.
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
  if (!training) choices.insert(choices.end(), {"int8", "int4"});
  set.add_choice("--dtype", options.dtype, choices,
                 "data type of the operands of matrix products; accumulation and everything else are float32");
}

// The number formats of a backend: "linear: weights int8, …; attention: float32".
std::string numbers_line(const Backend& backend);

// --preset and the options that override it; --position and --attention only if `alone`.
void add_shape(OptionSet& set, ShapeOptions& shape, bool alone = true);

// Prints a warning to standard error.
void print_warning(const std::string& warning);
// Prints those of loading a model.
void print_warnings(const LoadNotes& notes);

}  // namespace roformer
