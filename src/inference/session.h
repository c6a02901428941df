// What a person or a program works with: threads, a backend on them, a model and its tokenizer. Command line and
// library open one of these; whoever runs several models opens several. Any number of threads may use one at once, for
// what is const of a model is safe.
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
  int64_t threads = 0;            // that compute, the calling one among them; 0 = one for each CPU that may be used
  std::string device = "cpu";     // a backend
  std::string dtype = "float32";  // numbers to multiply: "float32", "bfloat16" or "int8"
};

// Threads and the backend that uses them, which stays where it is: models point to it.
struct Engine {
  // UsageError for a device that does not exist, a dtype that it does not have, and threads outside 0 to 1024.
  explicit Engine(const EngineOptions& options);
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  ThreadPool pool;
  std::unique_ptr<Backend> backend;
};

struct SessionOptions {
  EngineOptions engine;
  bool trainable = false;                                // the model has gradients; else it is prepared to be run
  std::optional<LoadOptions> tokenizer = LoadOptions{};  // none: no tokenizer is read
};

class Session {
 public:
  // Reads a model directory. The errors of Engine, load_model and load_tokenizer; DataError if the tokenizer has more
  // tokens than the model.
  explicit Session(const std::string& directory, const SessionOptions& options = {});
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  ThreadPool& pool() const { return backend().pool(); }
  Backend& backend() const { return *engine_.backend; }
  const Model& model() const { return model_; }
  const Tokenizer& tokenizer() const { return *shared_tokenizer(); }
  // Also after the session. ShapeError if none was read.
  const std::shared_ptr<const Tokenizer>& shared_tokenizer() const;

  const std::string& directory() const { return directory_; }
  // Keys of config.json that nobody here knows: worth a warning.
  const std::vector<std::string>& unknown_keys() const { return unknown_keys_; }

 private:
  std::string directory_;
  Engine engine_;
  std::vector<std::string> unknown_keys_;
  Model model_;
  std::shared_ptr<const Tokenizer> tokenizer_;
};

}  // namespace roformer
