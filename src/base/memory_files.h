// Directories in memory, which the functions of base/file.h that read take for directories on disk: whatever opens a
// model or a tokenizer from a path opens it from memory, too. The process has one table of them, as it has one of file
// descriptors: a path is a name for something that others may hold open.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace roformer {

class MemoryDirectory {
 public:
  // Files by their names in the directory, "config.json" or "1_Pooling/config.json". Their bytes are not copied: they
  // must stay as they are as long as the directory, and all that was mapped from it, is in use. UsageError for a name
  // that does not stay in the directory.
  explicit MemoryDirectory(const std::map<std::string, std::string_view>& files);
  // The same under a path of the caller's: a file on disk, below which nothing else can be.
  MemoryDirectory(const std::string& path, const std::map<std::string, std::string_view>& files);
  ~MemoryDirectory();
  MemoryDirectory(const MemoryDirectory&) = delete;
  MemoryDirectory& operator=(const MemoryDirectory&) = delete;

  const std::string& path() const {
    return path_;
  }  // "memory:1", of no other directory while it exists, or the caller's

 private:
  std::string path_;
};

// The bytes of a file of an existing MemoryDirectory; none for all other paths.
std::optional<std::string_view> find_memory_file(const std::string& path);
// Whether `path` is an existing MemoryDirectory or a folder in one.
bool is_memory_directory(const std::string& path);

}  // namespace roformer
