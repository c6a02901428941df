// A model of llama2.c as a Llama under this project's names: what rotated adjacent pairs rotates halves, as other
// programs have it.
#pragma once

#include <string>

#include "formats/state_dict.h"
#include "models/config.h"

namespace roformer {

struct Llama2cModel {
  ModelConfig config;
  StateDict weights;  // those that need no permutation are views of the file
};

// Of a .bin (formats/llama2c_file.h). DataError for a bad file, and for a weight that is not a finite number.
Llama2cModel read_llama2c_model(const std::string& path);

}  // namespace roformer
