// The weights of a model directory, in whatever files. As in transformers, the first of these that exists is used:
//   model.safetensors, model.safetensors.index.json, pytorch_model.bin, pytorch_model.bin.index.json
// An index names the file ("shard") of each tensor. A shard is a file beside the index; it must hold the tensors the
// index lists for it, and no tensor may be in two shards. As in transformers, tensors of a shard that the index does
// not list are read too, and "total_size" is ignored: published indexes get both wrong. Tensor names are unchanged.
// A GGUF file (gguf_model.h) is a model directory of its own.
// TensorFlow and Paddle files are recognized only for a better error message. Where modules.json (module_list.h) puts
// the transformer into a folder of the directory, that folder is the model directory.
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
  const TensorFile* file = nullptr;  // owned by the WeightFiles
};

// The files of a directory, opened and checked; no tensor data has been read.
class WeightFiles {
 public:
  // `path` is a model directory or one of these files (*.index.json, *.safetensors; a file that begins as
  // GGUF; anything else is read as PyTorch's). FileError if there are no weights, DataError for malformed files.
  explicit WeightFiles(const std::string& path);

  const std::string& source() const { return source_; }  // the file or index, for messages
  bool sharded() const { return sharded_; }
  const std::vector<WeightEntry>& tensors() const { return tensors_; }  // in file order
  bool contains(std::string_view name) const;
  std::string content_hash() const;  // of the weights file, or all shards in the order of their names (base/hash.h)

  // Aligned float32 data is not copied (see TensorFile::tensor). Tensors whose names match a pattern of `skip` are left
  // out and may have unsupported types.
  StateDict load(const std::vector<std::string>& skip = {}) const;

 private:
  void open_file(const std::string& path);
  void open_shards(const std::string& index_path);

  std::string source_;
  bool sharded_ = false;
  std::vector<std::unique_ptr<TensorFile>> files_;
  std::vector<WeightEntry> tensors_;
};

// `path` itself or the folder of its transformer, or its directory if it is a weights file; a GGUF file is its own, in
// memory. FileError if it is neither, DataError for a malformed modules.json or GGUF file.
std::string model_directory(const std::string& path);

struct DirectoryWeights {
  StateDict tensors;
  std::string source;
};

DirectoryWeights load_directory_weights(const std::string& directory, const std::vector<std::string>& skip = {});

}  // namespace roformer
