// The text of files, cut into blocks of whole documents that can be read again in any order. Making it reads every file
// once from start to end, checks that it is UTF-8 text, and keeps only where the blocks are: memory does not depend on
// the size of the text. Packed files and pipes, which cannot be read twice at any place, are copied unpacked to a
// nameless file in $TMPDIR (default /var/tmp).
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
  // Blocks are cut at the first end of a document after `block_bytes`; a document that goes on for as much again is cut
  // at the end of a line (of a part of 1 MiB in a line longer than that).
  // FileError when a file cannot be read, or nothing unpacked can be written; DataError, with file and line, when it is
  // not UTF-8 or holds a NUL byte, or when there is no document in any of them; Interrupted when `stop` is requested.
  TextBlocks(std::span<const std::string> paths, DocumentRule rule, int64_t block_bytes,
             const std::stop_token& stop = {});
  ~TextBlocks();

  int64_t size() const { return static_cast<int64_t>(blocks_.size()); }  // blocks, at least 1
  int64_t documents() const { return documents_; }
  int64_t bytes() const { return bytes_; }                           // unpacked
  const std::string& content_hash() const { return content_hash_; }  // XXH3-128 of the unpacked files and their sizes

  // The first file of at least kManyLines lines with text, with neither a blank line between them nor a <doc> tag,
  // under DocumentRule::automatic; under others, which somebody chose, none.
  const std::optional<UndividedFile>& undivided() const { return undivided_; }

  // The documents of a block in order; one that was cut comes in parts, the later parts first in their blocks. From any
  // thread. FileError when the file has changed since the scan.
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
