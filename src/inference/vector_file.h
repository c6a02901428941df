// Incremental writer of equal-length vectors: NumPy's .npy (format 1.0, NEP 1) or one tensor "embeddings" of a
// .safetensors file, float32 [n, H]. Memory does not depend on n; the header is written last.
//
// A run that ends early can be continued. Until it is complete, "PATH.progress" says how far it came and with what
// settings, and the vectors are in "PATH.partial", or after stop() in PATH itself. At any moment the process may be
// killed: the progress file only ever names vectors that are on the disk.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/file_lock.h"

namespace roformer {

// How far a run has come.
struct VectorProgress {
  int64_t items = 0;                     // of the input
  std::string input;                     // what tells these items from others, such as a hash
  int64_t malformed = 0;                 // of the items
  std::vector<int64_t> first_malformed;  // numbers of some of them
  std::string on_error;                  // how they were treated
};

class VectorFile {
 public:
  using Settings = std::map<std::string, std::string>;  // what the vectors depend on: field, and value to show

  // UsageError unless the path ends in .npy or .safetensors, and where an unfinished run had other settings; FileError
  // for a pipe or a device, and while another run writes this file. `interval`: seconds between two progress files.
  VectorFile(const std::string& path, int64_t length, Settings settings = {}, double interval = 1);
  ~VectorFile();  // without commit() or stop(): as if killed, but nothing is left of a run without a progress file
  VectorFile(const VectorFile&) = delete;
  VectorFile& operator=(const VectorFile&) = delete;

  // Of the unfinished run that this one continues, whose vectors up to there the file holds; else nothing.
  const VectorProgress& begun() const { return progress_; }

  void append(std::span<const float> vector);
  // All vectors appended so far, and no others, are those of `progress`. Cheap.
  void mark(const VectorProgress& progress);
  // Ends an unfinished run: PATH then holds the vectors so far, including those behind the last mark(), from which
  // another run continues. Without any vector PATH stays as it is.
  void stop();
  void commit();                            // creates or replaces PATH
  int64_t count() const { return count_; }  // of vectors in the file

 private:
  std::string header() const;
  std::string progress_path() const { return target_ + ".progress"; }
  std::string partial_path() const { return target_ + ".partial"; }
  void lock_partial();
  bool continue_run();
  void write_progress(bool stopped);  // `stopped`: the vectors are in PATH
  void finish();

  std::string target_;
  bool numpy_;
  int64_t length_, count_ = 0;
  Settings settings_;
  double interval_, last_ = 0;
  VectorProgress progress_;
  int64_t marked_ = 0;  // vectors at the last mark()
  bool progress_written_ = false;
  std::optional<FileLock> lock_;        // of the file that writer_ writes
  std::unique_ptr<FileWriter> writer_;  // null once finished
};

}  // namespace roformer
