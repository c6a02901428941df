#include "backend/registry.h"

#include <dlfcn.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <mutex>
#include <string_view>

#include "base/error.h"
#include "base/file.h"

namespace roformer {

namespace {

using Make = std::unique_ptr<Backend> (*)(ThreadPool&, Precision);

constexpr std::string_view kPrefix = "libroformer_", kSuffix = ".so";
constexpr const char* kEntryPoint = "roformer_backend";

struct Registry {
  std::mutex mutex;
  std::map<std::string, Make, std::less<>> entries{
      {"cpu", [](ThreadPool& pool, Precision precision) { return make_cpu_backend(pool, precision); }},
      {"reference", [](ThreadPool& pool, Precision) { return make_reference_backend(pool); }}};
};

Registry& registry() {
  static Registry all;
  return all;
}

// Characters that are safe in a file name: no path can leave the plug-in directory.
bool is_name(std::string_view name) {
  return !name.empty() && name.size() <= 64 && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
}

// The plug-in directories. The environment of a setuid program is ignored.
std::vector<std::filesystem::path> directories() {
  std::vector<std::filesystem::path> result;
  const char* const given = secure_getenv("ROFORMER_BACKEND_PATH");
  for (std::string_view rest = given != nullptr ? given : ""; !rest.empty();) {
    const size_t end = std::min(rest.find(':'), rest.size());
    const std::filesystem::path directory(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (directory.empty()) continue;
    if (!directory.is_absolute()) {
      throw UsageError("ROFORMER_BACKEND_PATH: '{}' is not an absolute path", FilePath(directory.string()));
    }
    result.push_back(directory);
  }
  std::error_code unknown;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", unknown);
  if (!unknown) result.push_back(program.parent_path());
  return result;
}

// UsageError unless the entry is valid.
void check(const BackendEntry& entry, const FilePath& source) {
  if (entry.interface_version != kBackendInterface) {
    throw UsageError("{}: a backend for interface {}, expected {}: built from another version", source,
                     entry.interface_version, kBackendInterface);
  }
  if (entry.name == nullptr || !is_name(entry.name) || entry.make == nullptr) {
    throw UsageError("{}: a backend without a valid name or a make function", source);
  }
}

// Never unloaded: the backends it made have their code there.
Make load(const std::string& path, std::string_view name) {
  void* const library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (library == nullptr) throw UsageError("cannot load a backend: {}", FilePath(path, dlerror()));
  const auto entry_point = reinterpret_cast<const BackendEntry* (*)()>(dlsym(library, kEntryPoint));
  const BackendEntry* const entry = entry_point != nullptr ? entry_point() : nullptr;
  if (entry == nullptr) throw UsageError("{}: not a backend, it exports no function {}", FilePath(path), kEntryPoint);
  check(*entry, FilePath(path));
  if (entry->name != name) throw UsageError("{}: the backend '{}', expected '{}'", FilePath(path), entry->name, name);
  return entry->make;
}

// Null if there is none. The registry must be locked.
Make find(Registry& all, std::string_view name) {
  if (const auto found = all.entries.find(name); found != all.entries.end()) return found->second;
  if (!is_name(name)) return nullptr;
  for (const std::filesystem::path& directory : directories()) {
    const std::filesystem::path path = directory / fmt::format("{}{}{}", kPrefix, name, kSuffix);
    if (!exists(path.string())) continue;
    return all.entries.emplace(name, load(path.string(), name)).first->second;
  }
  return nullptr;
}

}  // namespace

void register_backend(const BackendEntry& entry) {
  check(entry, FilePath("", "register_backend"));
  Registry& all = registry();
  const std::lock_guard lock(all.mutex);
  if (!all.entries.emplace(entry.name, entry.make).second) {
    throw UsageError("register_backend: a backend '{}' exists already", entry.name);
  }
}

std::vector<std::string> backend_names() {
  Registry& all = registry();
  std::vector<std::string> names;
  {
    const std::lock_guard lock(all.mutex);
    for (const auto& [name, make] : all.entries) names.push_back(name);
  }
  for (const std::filesystem::path& directory : directories()) {
    std::error_code error;
    std::filesystem::directory_iterator file(directory, error);
    for (; !error && file != std::filesystem::directory_iterator(); file.increment(error)) {
      const std::string full = file->path().filename().string();
      std::string_view name = full;
      if (!name.starts_with(kPrefix)) continue;
      name.remove_prefix(kPrefix.size());
      if (!name.ends_with(kSuffix)) continue;
      name.remove_suffix(kSuffix.size());
      if (is_name(name)) names.emplace_back(name);
    }
  }
  std::ranges::sort(names);
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

std::unique_ptr<Backend> make_backend(std::string_view name, ThreadPool& pool, Precision precision) {
  Make make = nullptr;
  {
    Registry& all = registry();
    const std::lock_guard lock(all.mutex);
    make = find(all, name);
  }
  if (make == nullptr) {
    throw UsageError("{} is '{}'; expected one of {}", FieldName("device"), name, fmt::join(backend_names(), ", "));
  }
  std::unique_ptr<Backend> backend = make(pool, precision);
  if (backend == nullptr || backend->precision() != precision) {
    throw UsageError("the {} backend does not compute in {} {}; expected float32", name, FieldName("dtype"),
                     precision_name(precision));
  }
  return backend;
}

}  // namespace roformer
