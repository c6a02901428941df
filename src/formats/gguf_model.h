// A GGUF file as a model directory: its tensors under transformers' names and in transformers' order of rows, and
// config.json, generation_config.json and the tokenizer's files, which exist in memory under the file's name:
// "model.gguf/config.json". Whatever opens a directory opens the file.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "formats/gguf_architectures.h"
#include "formats/tensor_file.h"

namespace roformer {

class GgufModel final : public TensorFile {
 public:
  // FileError; DataError as of GgufFile and for an unknown architecture.
  explicit GgufModel(const std::string& path);

  const std::vector<TensorInfo>& tensors() const override { return infos_; }
  const std::string& path() const override { return file_.path(); }
  // As float32 if it is in blocks; a view of the mapped file if it is not and its rows are in order. DataError naming
  // a type that is not supported, or a number in blocks that is not finite.
  Tensor stored(const std::string& name) const override;
  void read_into(const std::string& name, const Tensor& to) const override;

  const GgufFile& file() const { return file_; }
  const GgufArchitecture& architecture() const { return architecture_; }

 private:
  struct Held {
    const GgufTensor* tensor;
    GgufRows rows = GgufRows::same;
    int64_t heads = 1;  // of `rows`
    double offset = 0;  // to subtract
  };
  const Held& find(const std::string& name) const;
  Held described(const GgufTensor& tensor, const std::string& name) const;
  void decode(const Held& held, const Tensor& to) const;

  GgufFile file_;
  const GgufArchitecture& architecture_;
  int64_t heads_ = 1, key_heads_ = 1;
  std::vector<TensorInfo> infos_;
  std::map<std::string, Held> held_;
};

// The row of the file that is row r of the tensor in transformers' order, of `rows` in all in `heads` heads.
int64_t gguf_row(GgufRows order, int64_t r, int64_t rows, int64_t heads);

// Makes the files beside the tensors exist below `path`, a GGUF file, for the rest of the process; once, unless the
// file changes. Errors as of GgufModel, gguf_config and gguf_tokenizer_files.
void open_gguf_directory(const std::string& path);

}  // namespace roformer
