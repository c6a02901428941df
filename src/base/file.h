// Files: reading, durable writing, and exclusive locks on directories.
// All writes go through FileWriter, so a full disk is detected (and simulated) in one spot. It is not a stream library:
// no formatting, and only the seeking that headers need. std::ofstream was rejected because it loses the reason of a
// failure and cannot fsync. All functions throw FileError with the path and the system's reason; std::filesystem's
// exceptions never escape.
#pragma once

#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>

namespace roformer {

// read_file, MappedFile, open_stream, exists, is_file and is_directory also take paths of base/memory_files.h.

// Reads a whole file or pipe. FileError if it has more than `max_bytes` or is a directory.
std::string read_file(const std::string& path, int64_t max_bytes);

// A regular file mapped read-only: writing to the memory crashes. May be empty. The pages stay valid when the file is
// replaced by rename (as all writers here do).
class MappedFile {
 public:
  explicit MappedFile(const std::string& path);
  ~MappedFile();
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;

  const char* data() const { return data_; }  // page-aligned if on disk and not empty; never null
  int64_t size() const { return size_; }      // bytes
  std::string_view view() const { return {data_, static_cast<size_t>(size_)}; }

 private:
  const char* data_ = "";
  int64_t size_ = 0;
  bool mapped_ = false;  // else the bytes are somebody else's
};

// Opens a file or pipe for reading from the beginning on. The caller closes it.
std::FILE* open_stream(const std::string& path);

// A regular file open for thread-safe reads at any offset. It stays readable after its name is removed.
class RandomAccessFile {
 public:
  explicit RandomAccessFile(const std::string& path);
  ~RandomAccessFile();
  RandomAccessFile(const RandomAccessFile&) = delete;
  RandomAccessFile& operator=(const RandomAccessFile&) = delete;

  int64_t size() const { return size_; }          // bytes, at the time of opening
  int64_t modified() const { return modified_; }  // nanoseconds since 1970, at the time of opening
  // Fills [out, out + size) from `offset` on. FileError if the file ends before that.
  void read(int64_t offset, char* out, int64_t size) const;

 private:
  std::string path_;
  int descriptor_ = -1;
  int64_t size_ = 0, modified_ = 0;
};

// A buffered file writer. Data are durable only after sync() and handed to the system only after flush() or close();
// the destructor closes silently and drops unflushed data. It never removes the file.
class FileWriter {
 public:
  enum class Mode {
    replace,     // create or truncate
    create_new,  // FileError if the path exists
    append,      // create or append
    extend,      // create or go on at the end; other than in append, overwrite() may follow
  };
  explicit FileWriter(std::string path, Mode mode = Mode::replace);
  ~FileWriter();
  FileWriter(const FileWriter&) = delete;
  FileWriter& operator=(const FileWriter&) = delete;

  void write(const void* data, int64_t size);
  void write(std::string_view text) { write(text.data(), static_cast<int64_t>(text.size())); }
  // Replaces bytes already written, such as a header with the final size. Not for pipes.
  void overwrite(int64_t offset, std::string_view bytes);
  void flush();  // hands the buffer to the system
  void sync();   // flush, then fsync
  void close();  // flush; no write may follow
  const std::string& path() const { return path_; }
  int64_t written() const { return written_; }  // bytes given to write()

 private:
  void write_through(const char* data, size_t size);

  std::string path_;
  std::string buffer_;
  int64_t written_ = 0;
  int descriptor_ = -1;
};

// Replaces a file atomically: write to writer(), then commit(). Without commit(), `path` is unchanged. Symbolic links
// are followed. Pipes and devices (/dev/stdout) are written directly.
class AtomicFile {
 public:
  explicit AtomicFile(const std::string& path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  FileWriter& writer() { return *writer_; }
  void commit();  // fsync, rename, fsync the directory

 private:
  std::string target_;
  std::string temporary_;  // empty: written directly, or committed
  std::unique_ptr<FileWriter> writer_;
};

void write_file_atomically(const std::string& path, std::string_view content);

// A unique name beside `path` for something that will be renamed to it; is_temporary_name() recognizes its last
// component, so that leftovers of killed processes can be removed.
std::string temporary_name(const std::string& path);
bool is_temporary_name(std::string_view filename);

void fsync_directory(const std::string& path);
bool exists(const std::string& path);            // false on errors
bool is_file(const std::string& path);           // a regular one; false on errors
bool is_directory(const std::string& path);      // false on errors
void make_directories(const std::string& path);  // and its parents; fine if it exists
void rename_file(const std::string& from, const std::string& to);
void remove_tree(const std::string& path);  // fine if absent
// Whether a text names a file in a directory: one path component, neither empty, "." nor "..".
bool is_plain_filename(std::string_view text);
std::string join_path(std::string_view directory, std::string_view name);
// The end of a message that `path` is not a model directory: how to download it, if it looks like a name on the Hugging
// Face Hub ("owner/name", and no directory "owner" here), else empty.
std::string download_hint(const std::string& path);
std::string parent_directory(const std::string& path);  // "." if the path names none

// Locks a directory for one process by flock on its file `.lock`; the kernel releases it however the process ends.
// FileError at once if another run (or another lock of this process) holds it. The empty file `.lock` remains.
class DirectoryLock {
 public:
  explicit DirectoryLock(const std::string& directory);
  ~DirectoryLock();
  DirectoryLock(const DirectoryLock&) = delete;
  DirectoryLock& operator=(const DirectoryLock&) = delete;

 private:
  int descriptor_ = -1;
};

}  // namespace roformer
