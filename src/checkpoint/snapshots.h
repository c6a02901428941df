// Training snapshots: DIR/training/step-N/ beside the model's own files, each all or nothing.
// A snapshot is written as DIR/training/.tmp-step-N, gets its manifest.json (sizes and XXH3-128 hashes of all files)
// last, and is renamed when everything is on the disk; what has no valid manifest does not exist for a reader. What the
// files mean is the trainer's. One file a snapshot was rejected because the weights must be readable by others as they
// are. The caller holds a DirectoryLock on DIR.
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

  // Where to write the file `name` (one component, not manifest.json). Close it before commit().
  std::string path(const std::string& name) const;

  // Makes the snapshot exist and returns its directory. One of the same step is replaced. On failure (FileError) there
  // is no new snapshot and the older ones are as they were.
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
  std::vector<std::string> skipped;  // why newer ones were not taken, a line each, for the caller to show
};

// Reads and hashes every file of the newest snapshot, and of older ones until one is valid. A manifest that does not
// list all of `required` is not valid. No directory: no snapshot.
SnapshotSearch find_latest_snapshot(const std::string& directory, const std::vector<std::string>& required = {});

// Removes what killed runs left: .tmp-* in `directory` and `directory`/training.
void clean_snapshots(const std::string& directory);

// Keeps the `keep` newest snapshots whose manifest and sizes are right, removes all others. UsageError if keep < 1.
void prune_snapshots(const std::string& directory, int keep);

// Puts a file of a snapshot at `target` (say DIR/model.safetensors), atomically and durably: a hard link, or a copy
// where the file system has none.
void publish(const std::string& snapshot_file, const std::string& target);

}  // namespace roformer
