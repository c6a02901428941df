// What several commands take: the backend (--device, --threads, --dtype) and the shape of a model.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "cli/options.h"
#include "models/config.h"

namespace roformer {

struct EngineOptions {
  int64_t threads = 0;  // 0 = one per core
  std::string device = "cpu";
  std::string dtype = "float32";
};

// Training has no int8.
inline void add_engine(OptionSet& set, EngineOptions& options, bool training = false) {
  add_threads(set, options.threads);
  add_device(set, options.device);
  std::vector<std::string> choices{"float32", "bfloat16"};
  if (!training) choices.emplace_back("int8");
  set.add_choice("--dtype", options.dtype, choices, "numbers to multiply; sums and everything else are float32");
}

// A pool and the backend that uses it.
struct Engine {
  explicit Engine(const EngineOptions& options)
      : pool(static_cast<int>(options.threads)),
        backend(make_backend(options.device, pool, parse_precision(options.dtype))) {}
  ThreadPool pool;
  std::unique_ptr<Backend> backend;
};

// --preset and the options that differ from it; --position and --attention unless several are asked for otherwise.
void add_shape(OptionSet& set, ShapeOptions& shape, bool alone = true);

// Warns on standard error of config.json keys this program does not know.
void warn_unknown_keys(const std::string& directory, const std::vector<std::string>& keys);

}  // namespace roformer
