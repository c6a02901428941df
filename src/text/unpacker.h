// Decompression of texts: gzip (RFC 1952), Zstandard (RFC 8878), xz and lzma (liblzma), bzip2. A file is one or more
// members (streams, frames) of one format; formats are recognized by how a member begins.
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace roformer {

// Decompresses one file incrementally.
class Unpacker {
 public:
  virtual ~Unpacker() = default;
  struct Progress {
    size_t consumed = 0, made = 0;
    bool between_members = false;  // a member ends here: the file may, too
  };
  // Consumes bytes of `packed` and writes at most `capacity` bytes to `out`; no progress where bytes are missing.
  // DataError naming `path` if the data is corrupt or would take more memory than kUnpackingMemory.
  virtual Progress unpack(std::string_view packed, char* out, size_t capacity, const std::string& path) = 0;
};

// What a file may ask for to be decompressed, in bytes: more than `xz -9` and `zstd --ultra -22` (without --long) need.
constexpr size_t kUnpackingMemory = size_t{256} << 20;

struct PackedFormat {
  const char* name;                               // "gzip"
  bool (*starts_member)(std::string_view bytes);  // of kMemberStart bytes, or all that the file has left
  std::unique_ptr<Unpacker> (*make_unpacker)();
};
constexpr size_t kMemberStart = 10;

// The format whose member `bytes` begin; null for anything else.
const PackedFormat* find_packed_format(std::string_view bytes);

}  // namespace roformer
