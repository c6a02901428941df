// Views of the files in a zip archive (PKWARE's APPNOTE 6.3, sections 4.3 and 4.5.3). Only what torch.save writes is
// supported: uncompressed entries of a single-disk archive, also zip64. Decompression was rejected: mapped entries need
// no memory, and there can be no zip bombs. Checksums are not verified, as safetensors has none either.
#pragma once

#include <map>
#include <string>
#include <string_view>

namespace roformer {

class ZipArchive {
 public:
  ZipArchive(const ZipArchive&) = delete;
  ZipArchive& operator=(const ZipArchive&) = delete;
  // `bytes` must outlive the views. DataError if malformed, including entries that overlap or share a name.
  ZipArchive(std::string_view bytes, const std::string& path);

  const std::map<std::string, std::string_view>& entries() const { return entries_; }  // name to content

 private:
  std::map<std::string, std::string_view> entries_;
};

}  // namespace roformer
