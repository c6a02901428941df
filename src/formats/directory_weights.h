// The weights of a model directory, whatever files hold them. As transformers does, the first that is there is taken:
//   model.safetensors, model.safetensors.index.json, pytorch_model.bin, pytorch_model.bin.index.json
// An index names the file ("shard") of each tensor. A shard is a file beside the index; it must hold what the index
// says it does, and no tensor may be in two shards. Tensors of a shard that the index does not name are read too, and
// its "total_size" is not looked at: transformers does the same, and indexes in circulation are wrong about both. Names
// of tensors arrive untouched. TensorFlow's and Paddle's files are recognized, to say that they cannot be read.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "formats/state_dict.h"
#include "formats/tensor_file.h"

namespace roformer {

struct WeightEntry {
  TensorInfo info;
  const TensorFile* file = nullptr;  // which holds it; lives as long as the WeightFiles
};

// The files of a directory, open and checked; no number has been read.
class WeightFiles {
 public:
  // `path` is a model directory, or one of such files itself (*.index.json, *.safetensors; any other: PyTorch's).
  // FileError if there is none, DataError for anything wrong in one.
  explicit WeightFiles(const std::string& path);

  const std::string& source() const { return source_; }  // the file or index, for messages
  bool sharded() const { return sharded_; }
  const std::vector<WeightEntry>& tensors() const { return tensors_; }  // file after file, in the order of each
  bool contains(std::string_view name) const;

  // float32 is not copied where the file aligns it (see TensorFile::tensor). Tensors whose names match a pattern of
  // `skip` are left out; these may be of types that cannot be read.
  StateDict load(const std::vector<std::string>& skip = {}) const;

 private:
  void open_file(const std::string& path);
  void open_shards(const std::string& index_path);

  std::string source_;
  bool sharded_ = false;
  std::vector<std::unique_ptr<TensorFile>> files_;
  std::vector<WeightEntry> tensors_;
};

// `path` itself, or the directory that it is in if it is a weights file. FileError if it is neither.
std::string model_directory(const std::string& path);

struct DirectoryWeights {
  StateDict tensors;
  std::string source;
};

DirectoryWeights load_directory_weights(const std::string& directory, const std::vector<std::string>& skip = {});

}  // namespace roformer
