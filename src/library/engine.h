// What every object of the library face owns: threads and a backend. library/ turns the rooms below into the headers of
// include/roformer: it converts types and checks settings, and computes nothing itself.
#pragma once

#include <memory>
#include <string>

#include "backend/backend.h"

namespace roformer {

struct LibraryEngine {
  // UsageError for an unknown device or a number of threads outside 0 to 1024.
  LibraryEngine(int threads, const std::string& device);

  ThreadPool pool;
  std::unique_ptr<Backend> backend;
};

}  // namespace roformer
