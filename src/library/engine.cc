#include "library/engine.h"

#include "base/error.h"

namespace roformer {

namespace {

int checked_threads(int threads) {
  constexpr int kMostThreads = 1024;
  if (threads < 0 || threads > kMostThreads) {
    throw UsageError("threads is {}, expected 0 (one for each CPU that may be used) to {}", threads, kMostThreads);
  }
  return threads;
}

}  // namespace

LibraryEngine::LibraryEngine(int threads, const std::string& device)
    : pool(checked_threads(threads)), backend(make_backend(device, pool)) {}

}  // namespace roformer
