#include "text/binary_file.h"

#include <algorithm>
#include <cstdint>
#include <iterator>

namespace roformer {

namespace {

using namespace std::string_view_literals;

constexpr const char *kUnpack = "unpack it first", *kConvert = "convert it to text first",
                     *kRecode = "convert it to UTF-8 first";

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
constexpr BinaryFile kCpio{"a cpio archive", kUnpack};
constexpr BinaryFile kGguf{"a GGUF file of weights", kConvert};
constexpr BinaryFile kPickle{"a Python pickle (as are files of PyTorch)", kConvert};
constexpr BinaryFile kSafetensors{"a safetensors file of weights", kConvert};
constexpr BinaryFile kUtf16{"text in UTF-16", kRecode};
constexpr BinaryFile kUtf32{"text in UTF-32", kRecode};

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
    {"\xC7\x71"sv, kCpio},
    {"xar!\0"sv, {"a xar archive", kUnpack}},
    {"MSWIM\0\0\0"sv, {"a WIM archive", kUnpack}},
    {"CD001"sv, {"an ISO 9660 image", kUnpack}, 32769},
    {"\x78\x9C"sv, {"zlib data", kUnpack}},
    {"GGUF\x02\0"sv, kGguf},
    {"GGUF\x03\0"sv, kGguf},
    {"\x80\x02"sv, kPickle},
    {"\x80\x03"sv, kPickle},
    {"\x80\x04"sv, kPickle},
    {"\x80\x05"sv, kPickle},
    {"{\\rtf1"sv, {"an RTF document", kConvert}},
    {"\xFF\xFE\0\0"sv, kUtf32},  // before UTF-16, whose mark it begins with
    {"\0\0\xFE\xFF"sv, kUtf32},
    {"\xFF\xFE"sv, kUtf16},
    {"\xFE\xFF"sv, kUtf16},
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

// The number that digits spell up to a space or NUL, after spaces; -1 for anything else.
int64_t octal_number(std::string_view field) {
  field.remove_prefix(std::min(field.find_first_not_of(' '), field.size()));
  field = field.substr(0, field.find_first_of(" \0"sv));
  int64_t number = field.empty() ? -1 : 0;
  for (const char digit : field) {
    if (digit < '0' || digit > '7') return -1;
    number = number * 8 + (digit - '0');
  }
  return number;
}

// A header without a signature (of a tar before POSIX): told by its sum, in which the sum's own field counts as spaces.
bool is_old_tar(std::string_view start) {
  constexpr size_t kHeader = 512, kSumBegin = 148, kSumSize = 8;
  if (start.size() < kHeader) return false;
  int64_t sum = kSumSize * ' ';
  for (size_t i = 0; i < kHeader; ++i) {
    if (i < kSumBegin || i >= kSumBegin + kSumSize) sum += static_cast<unsigned char>(start[i]);
  }
  return start[0] != '\0' && octal_number(start.substr(kSumBegin, kSumSize)) == sum;
}

// The header's length in 8 bytes, then JSON.
bool is_safetensors(std::string_view start) { return start.size() > 8 && start.substr(4).starts_with("\0\0\0\0{"sv); }

// The portable formats: digits where a text has words.
bool is_cpio(std::string_view start) {
  constexpr size_t kHeader = 76;
  return start.size() >= kHeader && start.starts_with("07070") &&
         start.substr(0, kHeader).find_first_not_of("0123456789abcdefABCDEF") == std::string_view::npos;
}

// Without a byte order mark: a NUL in each pair of bytes, always at the same place, as in most Western text.
bool is_plain_utf16(std::string_view start) {
  constexpr size_t kLooked = 64;
  start = start.substr(0, std::min(start.size() / 2 * 2, kLooked));
  size_t nuls[2] = {0, 0};
  for (size_t i = 0; i < start.size(); ++i) nuls[i % 2] += start[i] == '\0' ? 1 : 0;
  return start.size() >= 4 &&
         ((nuls[0] == 0 && nuls[1] == start.size() / 2) || (nuls[1] == 0 && nuls[0] == start.size() / 2));
}

}  // namespace

const BinaryFile* find_binary_file(std::string_view start) {
  const auto* found = std::ranges::find_if(kSignatures, [&](const Signature& signature) {
    return start.size() > signature.offset && start.substr(signature.offset).starts_with(signature.bytes);
  });
  if (found != std::end(kSignatures)) return &found->file;
  if (is_old_tar(start)) return &kTar;
  if (is_safetensors(start)) return &kSafetensors;
  if (is_cpio(start)) return &kCpio;
  return is_plain_utf16(start) ? &kUtf16 : nullptr;
}

}  // namespace roformer
