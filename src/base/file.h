// Files: reading, durable writing, and one run at a time in a directory.
// Every write of the project goes through FileWriter, so there is one place where a full disk is noticed (and one seam
// to simulate it). It is not a stream library: no formatting, and of seeking only what a header needs. std::ofstream
// was rejected because it loses the reason of a failure and cannot fsync. All functions throw FileError with the path
// and the system's reason; std::filesystem's exceptions never escape.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace roformer {

// The whole file, also of a pipe. FileError beyond `max_bytes` or if it is a directory.
std::string read_file(const std::string& path, int64_t max_bytes);

// A regular file mapped read-only: writing to the memory is a fault of the program. An empty file is fine. The pages
// stay valid when the file is replaced by rename (as all writers here do).
class MappedFile {
 public:
  explicit MappedFile(const std::string& path);
  ~MappedFile();
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;

  const char* data() const { return data_; }  // page-aligned unless the file is empty; never null
  int64_t size() const { return size_; }      // bytes
  std::string_view view() const { return {data_, static_cast<size_t>(size_)}; }

 private:
  const char* data_ = "";
  int64_t size_ = 0;
};

// A regular file open for reading at any place, by any thread at any time. It stays readable when its name is removed.
class RandomAccessFile {
 public:
  explicit RandomAccessFile(const std::string& path);
  ~RandomAccessFile();
  RandomAccessFile(const RandomAccessFile&) = delete;
  RandomAccessFile& operator=(const RandomAccessFile&) = delete;

  int64_t size() const { return size_; }          // bytes, when it was opened
  int64_t modified() const { return modified_; }  // nanoseconds since 1970, when it was opened
  // Fills [out, out + size) from `offset` on. FileError where the file ends before.
  void read(int64_t offset, char* out, int64_t size) const;

 private:
  std::string path_;
  int descriptor_ = -1;
  int64_t size_ = 0, modified_ = 0;
};

// A file being written, with a buffer. Nothing is certain before sync() (on the disk) or close() (handed to the system)
// has returned; the destructor closes silently, and what was not flushed is lost. It removes nothing by itself.
class FileWriter {
 public:
  enum class Mode {
    replace,     // create, or empty what is there
    create_new,  // FileError if the path exists
    append,      // create, or write after what is there
  };
  explicit FileWriter(std::string path, Mode mode = Mode::replace);
  ~FileWriter();
  FileWriter(const FileWriter&) = delete;
  FileWriter& operator=(const FileWriter&) = delete;

  void write(const void* data, int64_t size);
  void write(std::string_view text) { write(text.data(), static_cast<int64_t>(text.size())); }
  // Replaces bytes that were written before, such as a header that says how much followed. Not of a pipe.
  void overwrite(int64_t offset, std::string_view bytes);
  void flush();  // hands the buffer to the system
  void sync();   // flush, then wait until the disk has it
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

// Replaces a file all at once: write to writer(), then commit(). Until then, and if it never comes, `path` is as it
// was. Symbolic links are followed. What is neither a file nor absent (a pipe, /dev/stdout) is written directly.
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

// A fresh name beside `path` for something that will be renamed to it; is_temporary_name() recognizes its last
// component, so that what a killed process left can be removed.
std::string temporary_name(const std::string& path);
bool is_temporary_name(std::string_view filename);

void fsync_directory(const std::string& path);
bool exists(const std::string& path);            // false where it cannot be told
void make_directories(const std::string& path);  // and its parents; fine if it exists
void rename_file(const std::string& from, const std::string& to);
void remove_tree(const std::string& path);  // fine if absent
std::string join_path(std::string_view directory, std::string_view name);
// Ends a message that `path` is no model directory: how to download it, if it looks like a model's name on the Hugging
// Face Hub ("owner/name", and no directory "owner" here), else empty.
std::string download_hint(const std::string& path);
std::string parent_directory(const std::string& path);  // "." where the path names none

// Holds a directory for one process by flock on its file `.lock`; the kernel lets go however the process ends.
// FileError at once if another run (or another lock of this one) holds it. The empty file `.lock` stays.
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
