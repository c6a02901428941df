#include "text/binary_file.h"

#include <algorithm>
#include <iterator>

namespace roformer {

namespace {

using namespace std::string_view_literals;

constexpr const char *kUnpack = "unpack it first", *kConvert = "convert it to text first";

// Signatures that a UTF-8 text without NUL bytes cannot begin with, or is most unlikely to.
struct Signature {
  std::string_view bytes;
  BinaryFile file;
  size_t offset = 0;
};

constexpr BinaryFile kZip{"a zip archive (as are docx, xlsx, odt and epub files)", kUnpack};
constexpr BinaryFile kTar{"a tar archive", kUnpack};
constexpr BinaryFile kLz4{"lz4 data", kUnpack};
constexpr BinaryFile kArrow{"an Arrow file", kConvert};
constexpr BinaryFile kNumpy{"a NumPy file", kConvert};

constexpr Signature kSignatures[] = {
    {"PK\x03\x04"sv, kZip},
    {"PK\x05\x06"sv, kZip},  // without members
    {"PK\x07\x08"sv, kZip},  // in several parts
    {"ustar\0"sv, kTar, 257},
    {"ustar "sv, kTar, 257},  // of GNU tar
    {"7z\xBC\xAF\x27\x1C"sv, {"a 7z archive", kUnpack}},
    {"Rar!\x1A\x07"sv, {"a RAR archive", kUnpack}},
    {"MSCF\0\0\0\0"sv, {"a cabinet archive", kUnpack}},
    {"!<arch>\n"sv, {"an ar archive (as are deb packages)", kUnpack}},
    {"\xED\xAB\xEE\xDB"sv, {"an rpm package", kUnpack}},
    {"\x04\x22\x4D\x18"sv, kLz4},
    {"\x02\x21\x4C\x18"sv, kLz4},  // the older format
    {"\x89LZO\0\r\n\x1A\n"sv, {"lzop data", kUnpack}},
    {"LZIP\x01"sv, {"lzip data", kUnpack}},
    {"LRZI\0"sv, {"lrzip data", kUnpack}},
    {"\x1F\x9D"sv, {"compress data (.Z)", kUnpack}},
    {"\x1F\x1E"sv, {"pack data (.z)", kUnpack}},
    {"\x1F\xA0"sv, {"compress -H data", kUnpack}},
    {"\xFF\x06\0\0sNaPpY"sv, {"snappy data", kUnpack}},
    {"PAR1\x15"sv, {"a Parquet file", kConvert}},
    {"ARROW1\0\0"sv, kArrow},
    {"\xFF\xFF\xFF\xFF"sv, kArrow},  // the stream format
    {"FEA1\0\0\0\0"sv, {"a Feather file", kConvert}},
    {"Obj\x01"sv, {"an Avro file", kConvert}},
    {"\x89HDF\r\n\x1A\n"sv, {"an HDF5 file", kConvert}},
    {"\x93NUMPY"sv, kNumpy},
    {"SQLite format 3\0"sv, {"a SQLite database", kConvert}},
    {"%PDF-"sv, {"a PDF document", kConvert}},
    {"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1"sv, {"a Microsoft Office document", kConvert}},
    {"\x89PNG\r\n\x1A\n"sv, {"a PNG image", kConvert}},
    {"\xFF\xD8\xFF"sv, {"a JPEG image", kConvert}},
    {"\x7F"
     "ELF"sv,
     {"a program (ELF)", kConvert}},
};

}  // namespace

const BinaryFile* find_binary_file(std::string_view start) {
  const auto* found = std::ranges::find_if(kSignatures, [&](const Signature& signature) {
    return start.size() > signature.offset && start.substr(signature.offset).starts_with(signature.bytes);
  });
  return found == std::end(kSignatures) ? nullptr : &found->file;
}

}  // namespace roformer
