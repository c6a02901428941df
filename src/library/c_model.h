// What is behind the handles of a model and a tokenizer.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "library/c_support.h"
#include "roformer/text_model.h"

struct roformer_tokenizer {
  std::optional<roformer::TextTokenizer> own;  // unless a model has it
  const roformer::TextTokenizer* tokenizer = nullptr;
};

struct roformer_model {
  roformer_model(roformer::TextModel opened, std::shared_ptr<roformer::StopSwitch> switched)
      : model(std::move(opened)), stop(std::move(switched)), tokenizer{.own = {}, .tokenizer = &model.tokenizer()} {}

  roformer::TextModel model;
  std::shared_ptr<roformer::StopSwitch> stop;
  roformer_tokenizer tokenizer;
};

namespace roformer {

MemoryFiles files_of(const roformer_file* files, size_t count);
roformer_matrix* make_matrix(Matrix matrix);

}  // namespace roformer
