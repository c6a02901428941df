#include "inference/vector_file.h"

#include <bit>
#include <filesystem>

#include "base/error.h"

namespace roformer {

namespace {

static_assert(std::endian::native == std::endian::little, "both formats are little-endian");

// Large enough for any count, and aligns the data of both formats.
constexpr size_t kHeaderBytes = 128;

bool is_numpy(const std::string& path) {
  if (path.ends_with(".npy")) return true;
  if (path.ends_with(".safetensors")) return false;
  throw UsageError("{} '{}': expected a name that ends in .npy or .safetensors", FieldName("output"), path);
}

const std::string& regular(const std::string& path) {
  std::error_code ignored;
  const auto kind = std::filesystem::status(path, ignored).type();
  using std::filesystem::file_type;
  if (kind != file_type::not_found && kind != file_type::regular && kind != file_type::directory) {
    throw FileError("cannot write '{}': not a regular file, and its header is written last", FilePath(path));
  }
  return path;
}

}  // namespace

VectorFile::VectorFile(const std::string& path, int64_t length)
    : numpy_(is_numpy(path)), length_(length), file_(regular(path)) {
  file_.writer().write(header());
}

std::string VectorFile::header() const {
  std::string begin, text;
  if (numpy_) {
    begin = std::string("\x93NUMPY\x01\x00\x76\x00", 10);  // version 1.0, 118 bytes of text
    text = fmt::format("{{'descr': '<f4', 'fortran_order': False, 'shape': ({}, {}), }}", count_, length_);
  } else {
    begin = std::string("\x78\0\0\0\0\0\0\0", 8);  // 120 bytes of JSON
    text = fmt::format(R"({{"embeddings":{{"dtype":"F32","shape":[{},{}],"data_offsets":[0,{}]}}}})", count_, length_,
                       count_ * length_ * static_cast<int64_t>(sizeof(float)));
  }
  text.resize(kHeaderBytes - begin.size(), ' ');
  if (numpy_) text.back() = '\n';
  return begin + text;
}

void VectorFile::append(std::span<const float> vector) {
  if (std::ssize(vector) != length_) {
    throw ShapeError("a vector of {} elements for a file of vectors of {}", vector.size(), length_);
  }
  file_.writer().write(vector.data(), static_cast<int64_t>(vector.size_bytes()));
  ++count_;
}

void VectorFile::commit() {
  file_.writer().overwrite(0, header());
  file_.commit();
}

}  // namespace roformer
