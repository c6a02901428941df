#include "base/file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include "base/error.h"
#include "base/file_lock.h"
#include "base/memory_files.h"

namespace roformer {

namespace {

constexpr size_t kBufferBytes = 1 << 18;

[[noreturn]] void fail(const char* action, const std::string& path, int error = errno) {
  throw FileError("cannot {} '{}': {}", action, FilePath(path), std::generic_category().message(error));
}

// Closes on scope exit, ignoring errors; for written files use FileWriter::close, which reports them.
struct Descriptor {
  int value;
  explicit Descriptor(int descriptor) : value(descriptor) {}
  ~Descriptor() {
    if (value >= 0) ::close(value);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
};

int open_retrying(const std::string& path, int flags) {
  // A path with a NUL byte would open a different file.
  if (path.find('\0') != std::string::npos) {
    errno = EINVAL;
    return -1;
  }
  for (;;) {
    const int descriptor = ::open(path.c_str(), flags | O_CLOEXEC, 0666);
    if (descriptor >= 0 || errno != EINTR) return descriptor;
  }
}

struct stat status_of(const Descriptor& file, const std::string& path) {
  struct stat status;
  if (::fstat(file.value, &status) != 0) fail("read", path);
  if (S_ISDIR(status.st_mode)) fail("read", path, EISDIR);
  return status;
}

void sync_descriptor(int descriptor, const std::string& path) {
  while (::fsync(descriptor) != 0) {
    if (errno == EINVAL || errno == ENOTSUP) return;  // pipes and devices cannot be synced
    if (errno != EINTR) fail("write", path);
  }
}

}  // namespace

std::string read_file(const std::string& path, int64_t max_bytes) {
  const auto too_large = [&] { return FileError("'{}' is larger than {} bytes", FilePath(path), max_bytes); };
  if (const auto bytes = find_memory_file(path)) {
    if (std::ssize(*bytes) > max_bytes) throw too_large();
    return std::string(*bytes);
  }
  const Descriptor file(open_retrying(path, O_RDONLY));
  if (file.value < 0) fail("open", path);
  const struct stat status = status_of(file, path);
  if (S_ISREG(status.st_mode) && status.st_size > max_bytes) throw too_large();
  std::string content;
  if (S_ISREG(status.st_mode)) content.reserve(static_cast<size_t>(status.st_size));
  std::string chunk(kBufferBytes, '\0');
  for (;;) {
    const ssize_t count = ::read(file.value, chunk.data(), chunk.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail("read", path);
    if (count == 0) return content;
    if (static_cast<int64_t>(content.size()) > max_bytes - count) throw too_large();
    content.append(chunk.data(), static_cast<size_t>(count));
  }
}

MappedFile::MappedFile(const std::string& path) {
  if (const auto bytes = find_memory_file(path)) {
    if (!bytes->empty()) data_ = bytes->data();
    size_ = std::ssize(*bytes);
    return;
  }
  // Without O_NONBLOCK, opening a pipe would block until it has a writer.
  const Descriptor file(open_retrying(path, O_RDONLY | O_NONBLOCK));
  if (file.value < 0) fail("open", path);
  const struct stat status = status_of(file, path);
  if (!S_ISREG(status.st_mode)) throw FileError("cannot read '{}': it is not a regular file", FilePath(path));
  if (status.st_size == 0) return;
  void* memory = ::mmap(nullptr, static_cast<size_t>(status.st_size), PROT_READ, MAP_PRIVATE, file.value, 0);
  if (memory == MAP_FAILED) fail("map", path);
  data_ = static_cast<const char*>(memory);
  size_ = status.st_size;
  mapped_ = true;
}

MappedFile::~MappedFile() {
  if (mapped_) ::munmap(const_cast<char*>(data_), static_cast<size_t>(size_));
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : data_(std::exchange(other.data_, "")),
      size_(std::exchange(other.size_, 0)),
      mapped_(std::exchange(other.mapped_, false)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  std::swap(mapped_, other.mapped_);
  return *this;
}

std::FILE* open_stream(const std::string& path) {
  std::FILE* stream = nullptr;
  if (const auto bytes = find_memory_file(path)) {
    stream = ::fmemopen(const_cast<char*>(bytes->empty() ? "" : bytes->data()), bytes->size(), "rb");
  } else {
    Descriptor file(open_retrying(path, O_RDONLY));
    if (file.value < 0) fail("open", path);
    status_of(file, path);
    stream = ::fdopen(file.value, "rb");
    if (stream != nullptr) file.value = -1;
  }
  if (stream == nullptr) fail("open", path);
  return stream;
}

RandomAccessFile::RandomAccessFile(const std::string& path) : path_(path) {
  Descriptor file(open_retrying(path, O_RDONLY | O_NONBLOCK));  // as in MappedFile
  if (file.value < 0) fail("open", path);
  const struct stat status = status_of(file, path);
  if (!S_ISREG(status.st_mode)) throw FileError("cannot read '{}': it is not a regular file", FilePath(path));
  size_ = status.st_size;
  modified_ = static_cast<int64_t>(status.st_mtim.tv_sec) * 1'000'000'000 + status.st_mtim.tv_nsec;
  descriptor_ = std::exchange(file.value, -1);
}

RandomAccessFile::~RandomAccessFile() { ::close(descriptor_); }

void RandomAccessFile::read(int64_t offset, char* out, int64_t size) const {
  while (size > 0) {
    const ssize_t count = ::pread(descriptor_, out, static_cast<size_t>(size), offset);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail("read", path_);
    if (count == 0)
      throw FileError("cannot read '{}': it ends at byte {}, expected {} more", FilePath(path_), offset, size);
    out += count;
    offset += count;
    size -= count;
  }
}

FileWriter::FileWriter(std::string path, Mode mode) : path_(std::move(path)) {
  const int how = mode == Mode::append       ? O_APPEND
                  : mode == Mode::create_new ? O_EXCL
                  : mode == Mode::extend     ? 0
                                             : O_TRUNC;
  descriptor_ = open_retrying(path_, O_WRONLY | O_CREAT | how);
  if (descriptor_ < 0) fail("create", path_);
  if (mode == Mode::extend && ::lseek(descriptor_, 0, SEEK_END) < 0) fail("write", path_);
}

FileWriter::~FileWriter() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

void FileWriter::write(const void* data, int64_t size) {
  if (size <= 0) return;
  const char* bytes = static_cast<const char*>(data);
  const size_t count = static_cast<size_t>(size);
  if (buffer_.size() + count > kBufferBytes) flush();
  if (count >= kBufferBytes) {
    write_through(bytes, count);
  } else {
    buffer_.append(bytes, count);
  }
  written_ += size;
}

void FileWriter::write_through(const char* data, size_t size) {
  if (descriptor_ < 0) fail("write", path_, EBADF);
  while (size > 0) {
    const ssize_t count = ::write(descriptor_, data, size);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail("write", path_);
    if (count == 0) fail("write", path_, EIO);
    data += count;
    size -= static_cast<size_t>(count);
  }
}

void FileWriter::overwrite(int64_t offset, std::string_view bytes) {
  flush();
  while (!bytes.empty()) {
    const ssize_t count = ::pwrite(descriptor_, bytes.data(), bytes.size(), offset);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail("write", path_);
    if (count == 0) fail("write", path_, EIO);
    bytes.remove_prefix(static_cast<size_t>(count));
    offset += count;
  }
}

void FileWriter::flush() {
  // Moved out first, so that a failed write is not repeated with the same bytes.
  std::string pending;
  pending.swap(buffer_);
  write_through(pending.data(), pending.size());
  pending.clear();
  buffer_.swap(pending);
}

void FileWriter::sync() {
  flush();
  sync_descriptor(descriptor_, path_);
}

void FileWriter::close() {
  flush();
  // Network file systems report a full disk only here.
  if (descriptor_ >= 0 && ::close(std::exchange(descriptor_, -1)) != 0 && errno != EINTR) fail("write", path_);
}

AtomicFile::AtomicFile(const std::string& path) : target_(path) {
  std::error_code error;
  const auto link = std::filesystem::symlink_status(path, error);
  if (link.type() == std::filesystem::file_type::symlink) {
    const auto resolved = std::filesystem::canonical(path, error);
    if (!error) target_ = resolved.string();
  }
  const auto kind = std::filesystem::status(target_, error).type();
  if (kind == std::filesystem::file_type::directory) fail("write", path, EISDIR);
  if (kind == std::filesystem::file_type::regular || kind == std::filesystem::file_type::not_found) {
    temporary_ = temporary_name(target_);
    writer_ = std::make_unique<FileWriter>(temporary_, FileWriter::Mode::create_new);
  } else {
    writer_ = std::make_unique<FileWriter>(target_);
  }
}

AtomicFile::~AtomicFile() {
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

void AtomicFile::commit() {
  writer_->sync();
  writer_->close();
  if (temporary_.empty()) return;
  rename_file(temporary_, target_);
  temporary_.clear();
  fsync_directory(parent_directory(target_));
}

void write_file_atomically(const std::string& path, std::string_view content) {
  AtomicFile file(path);
  file.writer().write(content);
  file.commit();
}

std::string temporary_name(const std::string& path) {
  // A thread id is unique on the machine while the thread lives.
  const std::string directory = parent_directory(path);
  for (int i = 0;; ++i) {
    std::string candidate = join_path(directory, fmt::format(".tmp-{}-{}", ::gettid(), i));
    struct stat status;
    if (::lstat(candidate.c_str(), &status) != 0) return candidate;
  }
}

bool is_temporary_name(std::string_view filename) { return filename.starts_with(".tmp-"); }

void fsync_directory(const std::string& path) {
  const Descriptor directory(open_retrying(path, O_RDONLY | O_DIRECTORY));
  if (directory.value < 0) fail("open the directory", path);
  sync_descriptor(directory.value, path);
}

bool exists(const std::string& path) {
  std::error_code ignored;
  return find_memory_file(path) || is_memory_directory(path) || std::filesystem::exists(path, ignored);
}

bool is_file(const std::string& path) {
  std::error_code ignored;
  return find_memory_file(path) || std::filesystem::is_regular_file(path, ignored);
}

bool is_directory(const std::string& path) {
  std::error_code ignored;
  return is_memory_directory(path) || std::filesystem::is_directory(path, ignored);
}

std::string download_hint(const std::string& path) {
  constexpr std::string_view kCharacters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.";
  const size_t slash = path.find('/');
  if (slash == path.npos) return "";
  const std::string owner = path.substr(0, slash), name = path.substr(slash + 1);
  const auto is_name = [&](std::string_view part) {
    return !part.empty() && part[0] != '.' && part.find_first_not_of(kCharacters) == part.npos;
  };
  if (!is_name(owner) || !is_name(name) || exists(owner)) return "";
  return fmt::format("; a model of that name on the Hugging Face Hub is downloaded by: hf download {} --local-dir {}",
                     path, name);
}

void make_directories(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (!error && !std::filesystem::is_directory(path, error) && !error) error.assign(ENOTDIR, std::generic_category());
  if (error) fail("create the directory", path, error.value());
}

void rename_file(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) == 0) return;
  throw FileError("cannot rename '{}' to '{}': {}", FilePath(from), to, std::generic_category().message(errno));
}

void remove_tree(const std::string& path) {
  std::error_code error;
  std::filesystem::remove_all(path, error);
  if (error) fail("remove", path, error.value());
}

bool is_plain_filename(std::string_view text) {
  return !text.empty() && text != "." && text != ".." && text.find('/') == text.npos && text.find('\0') == text.npos;
}

std::string join_path(std::string_view directory, std::string_view name) {
  return (std::filesystem::path(directory) / name).string();
}

std::string parent_directory(const std::string& path) {
  const std::string parent = std::filesystem::path(path).parent_path().string();
  return parent.empty() ? "." : parent;
}

DirectoryLock::DirectoryLock(const std::string& directory) {
  const FileError held("another run is using the directory '{}'; wait until it ends", FilePath(directory));
  descriptor_ = FileLock(join_path(directory, ".lock"), held).release();
}

DirectoryLock::~DirectoryLock() { ::close(descriptor_); }

}  // namespace roformer
