// The files in a zip archive, in place (PKWARE's APPNOTE 6.3, sections 4.3 and 4.5.3). Only what torch.save writes is
// read: entries that are stored, not compressed, in one archive of one disk, also zip64. Unpacking was rejected: what
// is mapped needs no memory, and a small file cannot become a large one. Checksums are not compared, as safetensors has
// none.
#pragma once

#include <map>
#include <string>
#include <string_view>

namespace roformer {

class ZipArchive {
 public:
  ZipArchive(const ZipArchive&) = delete;
  ZipArchive& operator=(const ZipArchive&) = delete;
  // `bytes` must outlive the views. DataError for what is not such an archive; entries that overlap each other, or have
  // the same name, included.
  ZipArchive(std::string_view bytes, const std::string& path);

  const std::map<std::string, std::string_view>& entries() const { return entries_; }  // name to content

 private:
  std::map<std::string, std::string_view> entries_;
};

}  // namespace roformer
