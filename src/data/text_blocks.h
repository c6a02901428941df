// The text of files as blocks of whole documents that can be read in any order. The constructor reads every file once,
// validates that it is UTF-8 text, and stores only the blocks' offsets: memory does not depend on the size of the text.
// Compressed files and pipes, which do not allow random access, are decompressed to an unnamed file in $TMPDIR (default
// /var/tmp).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "base/file.h"
#include "data/documents.h"

namespace roformer {

// A file that is one document although it has many lines: perhaps each of these is meant to be one.
struct UndividedFile {
  static constexpr int64_t kManyLines = 100;
  std::string path;
  int64_t lines = 0;  // with text
};

class TextBlocks {
 public:
  // A block ends at the first document end after `block_bytes`; a document that continues for as much again is split at
  // a line end (or every 1 MiB of a longer line).
  // FileError if a file cannot be read or decompressed text cannot be written; DataError with file and line if it is
  // not UTF-8 or holds a NUL byte, or if there is no document at all; Interrupted if `stop` is requested.
  TextBlocks(std::span<const std::string> paths, DocumentRule rule, int64_t block_bytes,
             const std::stop_token& stop = {});
  ~TextBlocks();

  int64_t size() const { return static_cast<int64_t>(blocks_.size()); }  // blocks, at least 1
  int64_t documents() const { return documents_; }
  int64_t bytes() const { return bytes_; }  // decompressed
  const std::string& content_hash() const {
    return content_hash_;
  }  // XXH3-128 of the decompressed files and their sizes

  // The first file of at least kManyLines lines with text, with neither a blank line between them nor a <doc> tag,
  // under DocumentRule::automatic; under others, which somebody chose, none.
  const std::optional<UndividedFile>& undivided() const { return undivided_; }

  // The documents of a block in order; later parts of a split document come first in their blocks. Thread-safe.
  // FileError if the file has changed since the scan.
  std::vector<std::string> read(int64_t block) const;

 private:
  struct Source {  // a file
    std::string path;
    bool spooled = false;  // its bytes are in spool_
    int64_t size = 0, modified = 0;
  };
  struct Segment {  // consecutive bytes of one file
    size_t source;
    int64_t begin, end;  // in the file, or in the spool
    bool starts_file, ends_file;
    DocumentState state;  // at its start
  };
  struct Block {
    std::vector<Segment> segments;
  };
  class Scanner;
  class Spool;

  DocumentRule rule_;
  std::vector<Source> sources_;
  std::vector<Block> blocks_;
  std::unique_ptr<Spool> spool_;
  int64_t documents_ = 0, bytes_ = 0;
  std::optional<UndividedFile> undivided_;
  std::string content_hash_;
};

}  // namespace roformer
