// The shape and type that a file gives a tensor, checked before a number of it is read.
#pragma once

#include <string>
#include <utility>

#include "formats/tensor_file.h"

namespace roformer {

// DataError for types that are not read (TensorFile::stored), more than 4 dimensions, and shapes without end; `path` is
// for the message.
std::pair<Shape, DType> stored_form(const TensorInfo& info, const std::string& path);

}  // namespace roformer
