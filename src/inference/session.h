// A loaded model with its threads, backend and tokenizer, as used by the command line and the library. Const members
// may be used from many threads at once.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "models/model.h"
#include "text/tokenizer.h"

namespace roformer {

struct EngineOptions {
  int64_t threads = 0;            // compute threads, including the caller; 0 = one per usable CPU
  int64_t divided_for = 0;        // threads that work is divided for, whatever number computes it; 0 = as many
  std::string device = "cpu";     // backend name
  std::string dtype = "float32";  // of matrix products: "float32", "bfloat16" or "int8"
};

// A thread pool and a backend that uses it. Not movable, as models refer to the backend.
struct Engine {
  // UsageError for an unknown device, a dtype that it does not support, and threads outside 0 to 1024.
  explicit Engine(const EngineOptions& options);
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  ThreadPool pool;
  std::unique_ptr<Backend> backend;
};

struct SessionOptions {
  EngineOptions engine;
  bool trainable = false;                                // with gradients; else prepared for inference
  std::optional<LoadOptions> tokenizer = LoadOptions{};  // none: load no tokenizer
};

class Session {
 public:
  // Loads a model directory, or the folder of its transformer (formats/module_list.h). Errors of Engine, load_model and
  // load_tokenizer. A tokenizer may have more tokens than the model has rows (text/token_rows.h).
  explicit Session(const std::string& directory, const SessionOptions& options = {});
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  ThreadPool& pool() const { return backend().pool(); }
  Backend& backend() const { return *engine_.backend; }
  const Model& model() const { return model_; }
  const Tokenizer& tokenizer() const { return *shared_tokenizer(); }
  // May outlive the session. ShapeError if none was loaded.
  const std::shared_ptr<const Tokenizer>& shared_tokenizer() const;

  const std::string& directory() const { return directory_; }  // that of config.json
  const LoadNotes& notes() const { return notes_; }            // with warnings for the user

 private:
  std::string directory_;
  Engine engine_;
  LoadNotes notes_;
  Model model_;
  std::shared_ptr<const Tokenizer> tokenizer_;
};

}  // namespace roformer
