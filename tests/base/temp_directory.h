// An empty directory for one test, removed recursively. In memory if possible, as fsync on a busy disk is slow.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <stdexcept>
#include <string>

namespace roformer {

class TempDirectory {
 public:
  TempDirectory() : TempDirectory(::access("/dev/shm", W_OK) == 0 ? "/dev/shm/" : ::testing::TempDir()) {}
  explicit TempDirectory(const std::string& parent) : path_(parent + "roformer_test_XXXXXX") {
    if (::mkdtemp(path_.data()) == nullptr) throw std::runtime_error("cannot create " + path_);
  }
  ~TempDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempDirectory(const TempDirectory&) = delete;
  TempDirectory& operator=(const TempDirectory&) = delete;

  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

}  // namespace roformer
