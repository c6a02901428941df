#include "base/memory_files.h"

#include <cstdint>
#include <filesystem>
#include <mutex>

#include "base/error.h"
#include "base/json.h"

namespace roformer {

namespace {

constexpr std::string_view kScheme = "memory:";

struct Table {
  std::mutex mutex;
  int64_t made = 0;
  int64_t below_files = 0;                                     // directories under paths of files on disk
  std::map<std::string, std::string_view, std::less<>> files;  // by path
};

Table& table() {
  static Table one;
  return one;
}

std::string plain(const std::string& path) { return std::filesystem::path(path).lexically_normal().string(); }

// All of `files` below `directory`, whose path ends with a slash.
auto files_below(const std::map<std::string, std::string_view, std::less<>>& files, const std::string& directory) {
  auto end = directory;
  end.back() = '/' + 1;
  return std::pair(files.lower_bound(directory), files.lower_bound(end));
}

}  // namespace

MemoryDirectory::MemoryDirectory(const std::map<std::string, std::string_view>& files)
    : MemoryDirectory(std::string(), files) {}

MemoryDirectory::MemoryDirectory(const std::string& path, const std::map<std::string, std::string_view>& files)
    : path_(path) {
  if (files.empty()) throw UsageError("{} is empty, expected the files of a directory", FieldName("files"));
  for (const auto& [name, bytes] : files) {
    const std::string inner = plain(name);
    if (inner.empty() || inner[0] == '/' || inner.starts_with("..") || inner.ends_with('/') || inner == ".") {
      throw UsageError("{}: {} is not the name of a file in a directory", FieldName("files"), quote(name));
    }
  }
  Table& all = table();
  const std::lock_guard lock(all.mutex);
  if (path_.empty()) path_ = fmt::format("{}{}", kScheme, ++all.made);
  if (!path_.starts_with(kScheme)) ++all.below_files;
  for (const auto& [name, bytes] : files) all.files.emplace(plain(path_ + "/" + name), bytes);
}

MemoryDirectory::~MemoryDirectory() {
  Table& all = table();
  const std::lock_guard lock(all.mutex);
  const auto [first, last] = files_below(all.files, plain(path_ + "/"));
  all.files.erase(first, last);
  if (!path_.starts_with(kScheme)) --all.below_files;
}

std::optional<std::string_view> find_memory_file(const std::string& path) {
  Table& all = table();
  const std::lock_guard lock(all.mutex);
  if (!path.starts_with(kScheme) && all.below_files == 0) return std::nullopt;
  const auto found = all.files.find(plain(path));
  return found == all.files.end() ? std::nullopt : std::optional(found->second);
}

bool is_memory_directory(const std::string& path) {
  Table& all = table();
  const std::lock_guard lock(all.mutex);
  if (path.empty() || (!path.starts_with(kScheme) && all.below_files == 0)) return false;
  const auto [first, last] = files_below(all.files, plain(path + "/"));
  return first != last;
}

}  // namespace roformer
