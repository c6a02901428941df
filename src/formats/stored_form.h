// The shape and type of a tensor in a file, checked before its data is read.
#pragma once

#include <string>
#include <utility>

#include "formats/tensor_file.h"

namespace roformer {

// DataError for unsupported types (TensorFile::stored), more than 4 dimensions, and overflowing shapes; `path` is for
// the message.
std::pair<Shape, DType> stored_form(const TensorInfo& info, const std::string& path);

}  // namespace roformer
