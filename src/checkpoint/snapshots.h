// Training snapshots: DIR/training/step-N/ beside the model's own files, written atomically.
// A snapshot is written as DIR/training/.tmp-step-N, gets its manifest.json (sizes and XXH3-128 hashes of all files)
// last, and is renamed after fsync; readers ignore directories without a valid manifest. The trainer defines the files.
// A single file per snapshot was rejected because other programs must be able to read the weights. The caller holds a
// DirectoryLock on DIR.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace roformer {

class SnapshotWriter {
 public:
  SnapshotWriter(std::string directory, int64_t step);
  ~SnapshotWriter();  // removes what was not committed
  SnapshotWriter(const SnapshotWriter&) = delete;
  SnapshotWriter& operator=(const SnapshotWriter&) = delete;

  // The path to write the file `name` to (one component, not manifest.json). Close it before commit().
  std::string path(const std::string& name) const;

  // Publishes the snapshot and returns its directory, replacing one of the same step. On failure (FileError) nothing is
  // published and the older snapshots are unchanged.
  std::string commit();

 private:
  std::string directory_;
  std::string temporary_;
  int64_t step_;
};

struct Snapshot {
  int64_t step = 0;
  std::string path;
};

struct SnapshotSearch {
  std::optional<Snapshot> snapshot;  // the newest valid one
  std::vector<std::string> skipped;  // why newer ones were rejected, one line each
};

// Reads and hashes every file of the newest snapshot, then of older ones until one is valid. A manifest that does not
// list all of `required` is invalid. Finds nothing if the directory does not exist.
SnapshotSearch find_latest_snapshot(const std::string& directory, const std::vector<std::string>& required = {});

// Removes leftovers of killed runs: .tmp-* in `directory` and `directory`/training.
void clean_snapshots(const std::string& directory);

// Retains the `keep` newest snapshots whose manifest and sizes are right and removes all others. UsageError if keep <
// 1.
void prune_snapshots(const std::string& directory, int keep);

// Replaces `target` (e.g. DIR/model.safetensors) by a file of a snapshot, atomically and durably: a hard link, or a
// copy if the file system has none.
void publish(const std::string& snapshot_file, const std::string& target);

}  // namespace roformer
