// Incremental writer of equal-length vectors: NumPy's .npy (format 1.0, NEP 1) or one tensor "embeddings" of a
// .safetensors file, float32 [n, H]. Memory does not depend on n; the header is written last.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "base/file.h"

namespace roformer {

class VectorFile {
 public:
  // UsageError unless the path ends in .npy or .safetensors; FileError for a pipe or a device. commit() creates or
  // replaces the file.
  VectorFile(const std::string& path, int64_t length);

  void append(std::span<const float> vector);
  void commit();
  int64_t count() const { return count_; }

 private:
  std::string header() const;

  bool numpy_;
  int64_t length_, count_ = 0;
  AtomicFile file_;
};

}  // namespace roformer
