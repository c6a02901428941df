// Files that are no texts, such as archives and documents, told by their first bytes so that a message can name them.
#pragma once

#include <string_view>

namespace roformer {

struct BinaryFile {
  const char* name;    // "a zip archive"
  const char* advice;  // what makes a text of it: "unpack it first"
};

// What `start`, the first kBinaryFileStart bytes or all there are, begins; null for what may be a text.
const BinaryFile* find_binary_file(std::string_view start);
constexpr size_t kBinaryFileStart = 32774;

}  // namespace roformer
