#include "checkpoint/snapshots.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <system_error>

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"

namespace roformer {

namespace {

namespace fs = std::filesystem;

constexpr const char* kManifest = "manifest.json";
constexpr int64_t kMaxManifestBytes = 16 << 20;

std::string training_directory(const std::string& directory) { return join_path(directory, "training"); }

// The step of a directory named step-N, as SnapshotWriter spells it.
std::optional<int64_t> step_of(const std::string& name) {
  constexpr std::string_view kPrefix = "step-";
  if (!name.starts_with(kPrefix)) return std::nullopt;
  int64_t step = 0;
  const auto [end, error] = std::from_chars(name.data() + kPrefix.size(), name.data() + name.size(), step);
  if (error != std::errc() || step < 0 || fmt::format("step-{}", step) != name) return std::nullopt;
  return step;
}

// Names in a directory, sorted; none if it does not exist.
std::vector<std::string> list_directory(const std::string& path) {
  std::vector<std::string> names;
  std::error_code error;
  fs::directory_iterator entry(path, error);
  if (error == std::errc::no_such_file_or_directory) return names;
  for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
    names.push_back(entry->path().filename().string());
  }
  if (error) throw FileError("cannot read the directory '{}': {}", FilePath(path), error.message());
  std::sort(names.begin(), names.end());
  return names;
}

std::vector<Snapshot> list_snapshots(const std::string& directory) {
  std::vector<Snapshot> snapshots;
  const std::string training = training_directory(directory);
  for (const std::string& name : list_directory(training)) {
    if (const auto step = step_of(name)) snapshots.push_back({*step, join_path(training, name)});
  }
  std::sort(snapshots.begin(), snapshots.end(), [](const auto& a, const auto& b) { return a.step > b.step; });
  return snapshots;
}

// Syncs a file to disk and returns its manifest entry.
Json seal_file(const std::string& path) {
  FileWriter(path, FileWriter::Mode::append).sync();
  const MappedFile file(path);
  return {{"size", file.size()}, {"xxh3_128", hash_hex(file.view())}};
}

// Throws DataError or FileError unless the snapshot is what its manifest says.
void verify(const Snapshot& snapshot, bool hashes) {
  const JsonObject manifest = JsonObject::read(join_path(snapshot.path, kManifest), kMaxManifestBytes);
  if (manifest.get_int("step", std::nullopt) != snapshot.step) manifest.reject("step", std::to_string(snapshot.step));
  if (!manifest.has("files")) manifest.reject("files", "an object");
  const JsonObject files = manifest.get_object("files");
  for (const auto& [name, unused] : files.value().items()) {
    if (!is_plain_filename(name))
      throw DataError("{}: {} is not a file name", FilePath(join_path(snapshot.path, kManifest), files.source()),
                      KeyName(name, quote(name)));
    const JsonObject entry = files.get_object(name);
    const int64_t size = entry.get_int("size", std::nullopt, 0);
    const std::string hash = entry.get_string("xxh3_128", std::nullopt);
    const MappedFile file(join_path(snapshot.path, name));
    if (file.size() != size) {
      throw DataError("'{}' has {} bytes, expected {}", FilePath(join_path(snapshot.path, name)), file.size(), size);
    }
    if (hashes && hash_hex(file.view()) != hash) {
      throw DataError("'{}' is damaged: its hash is not the one in {}", FilePath(join_path(snapshot.path, name)),
                      kManifest);
    }
  }
}

// Throws DataError unless the manifest of a verified snapshot lists all of `required`.
void require_files(const Snapshot& snapshot, const std::vector<std::string>& required) {
  const JsonObject files = JsonObject::read(join_path(snapshot.path, kManifest), kMaxManifestBytes).get_object("files");
  for (const std::string& name : required) {
    if (!files.has(name)) files.reject(name, "an object");
  }
}

// Moves a directory to `target`; an existing one ends up under the old name. Atomic where the system can exchange
// names.
void rename_over(const std::string& from, const std::string& target) {
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, target.c_str(), RENAME_EXCHANGE) == 0) return;
  const bool cannot_exchange = errno == EINVAL || errno == ENOSYS || errno == ENOTSUP;
  if (cannot_exchange) remove_tree(target);
  rename_file(from, target);
}

}  // namespace

SnapshotWriter::SnapshotWriter(std::string directory, int64_t step)
    : directory_(std::move(directory)),
      temporary_(join_path(training_directory(directory_), fmt::format(".tmp-step-{}", step))),
      step_(step) {
  const std::string training = training_directory(directory_);
  make_directories(training);
  fsync_directory(directory_);
  remove_tree(temporary_);
  make_directories(temporary_);
}

SnapshotWriter::~SnapshotWriter() {
  std::error_code ignored;
  fs::remove_all(temporary_, ignored);
}

std::string SnapshotWriter::path(const std::string& name) const {
  if (!is_plain_filename(name) || name == kManifest)
    throw ShapeError("{} cannot name a file of a snapshot", quote(name));
  return join_path(temporary_, name);
}

std::string SnapshotWriter::commit() {
  Json files = Json::object();
  for (const std::string& name : list_directory(temporary_)) files[name] = seal_file(join_path(temporary_, name));
  const Json manifest = {{"step", step_}, {"files", files}};
  FileWriter writer(join_path(temporary_, kManifest));
  writer.write(dump_json(manifest) + "\n");
  writer.sync();
  writer.close();
  fsync_directory(temporary_);
  const std::string training = training_directory(directory_);
  std::string target = join_path(training, fmt::format("step-{}", step_));
  rename_over(temporary_, target);
  fsync_directory(training);
  remove_tree(temporary_);
  return target;
}

SnapshotSearch find_latest_snapshot(const std::string& directory, const std::vector<std::string>& required) {
  SnapshotSearch result;
  for (const Snapshot& snapshot : list_snapshots(directory)) {
    try {
      verify(snapshot, true);
      require_files(snapshot, required);
      result.snapshot = snapshot;
      break;
    } catch (const Error& error) {
      result.skipped.push_back(fmt::format("snapshot '{}' is not used: {}", snapshot.path, error.what()));
    }
  }
  return result;
}

void clean_snapshots(const std::string& directory) {
  for (const std::string& folder : {directory, training_directory(directory)}) {
    for (const std::string& name : list_directory(folder)) {
      if (is_temporary_name(name)) remove_tree(join_path(folder, name));
    }
  }
}

void prune_snapshots(const std::string& directory, int keep) {
  if (keep < 1) throw UsageError("{} is {}, expected 1 or more", FieldName("keep"), keep);
  int retained = 0;
  for (const Snapshot& snapshot : list_snapshots(directory)) {
    bool valid = retained < keep;
    try {
      if (valid) verify(snapshot, false);
    } catch (const Error&) {
      valid = false;
    }
    if (valid) {
      ++retained;
      continue;
    }
    // Renamed first, so that a kill during removal leaves no partial snapshot.
    const std::string doomed = temporary_name(snapshot.path);
    rename_file(snapshot.path, doomed);
    remove_tree(doomed);
  }
}

void publish(const std::string& snapshot_file, const std::string& target) {
  const std::string temporary = temporary_name(target);
  if (::link(snapshot_file.c_str(), temporary.c_str()) != 0) {
    const MappedFile source(snapshot_file);
    write_file_atomically(target, source.view());
    return;
  }
  try {
    rename_file(temporary, target);
  } catch (const FileError&) {
    ::unlink(temporary.c_str());
    throw;
  }
  ::unlink(temporary.c_str());  // rename does nothing where `target` already is the same file
  fsync_directory(parent_directory(target));
}

}  // namespace roformer
