// Tensors written by PyTorch's torch.save (pytorch_model.bin; see torch/serialization.py and torch/_utils.py): a zip
// archive (since 1.6) or the older sequence of pickles and storages. Nothing is executed (pickle.h).
// The tensors are those of the file's top-level dictionary or of its "state_dict", "model_state_dict", "model" or
// "module". Non-contiguous tensors (a transposed view) are copied when read. Not supported: tar archives (before 0.2),
// TorchScript, big-endian files, sparse and quantized tensors.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "formats/tensor_file.h"

namespace roformer {

class PytorchFile : public TensorFile {
 public:
  // Checks every tensor against its storage; data is read on use. FileError, or DataError naming the tensor.
  explicit PytorchFile(const std::string& path);

  const std::vector<TensorInfo>& tensors() const override { return tensors_; }  // in the order of the dictionary
  const std::string& path() const override { return path_; }
  Tensor stored(const std::string& name) const override;

  // The path of the tensors' dictionary: "" or e.g. "state_dict" or "model.state_dict".
  const std::string& section() const { return section_; }

  // The layout of a tensor in its storage.
  struct Layout {
    const char* data = nullptr;    // its first element
    std::vector<int64_t> strides;  // in elements; empty: contiguous
  };

 private:
  std::string path_;
  std::shared_ptr<MappedFile> file_;
  std::string section_;
  std::vector<TensorInfo> tensors_;
  std::vector<Layout> layouts_;  // of tensors_
  std::map<std::string, size_t> index_;
};

}  // namespace roformer
