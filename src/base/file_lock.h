// A lock on a file for one process, by flock: the kernel releases it however the process ends.
#pragma once

#include <string>

#include "base/error.h"

namespace roformer {

class FileLock {
 public:
  // Creates the file if absent. Throws `held` at once if another run (or another lock of this process) holds it.
  FileLock(const std::string& path, const FileError& held);
  ~FileLock();
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

  int release();  // the descriptor, whose closing unlocks

 private:
  int descriptor_ = -1;
};

}  // namespace roformer
