#include "base/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

namespace roformer {

namespace {

// Calls until it is not interrupted by a signal.
template <class Call>
int uninterrupted(Call call) {
  int result = call();
  while (result < 0 && errno == EINTR) result = call();
  return result;
}

FileError lock_failure(const std::string& path, int error) {
  return FileError("cannot lock '{}': {}", FilePath(path), std::generic_category().message(error));
}

}  // namespace

FileLock::FileLock(const std::string& path, const FileError& held) {
  constexpr int kMode = 0666;
  descriptor_ = uninterrupted([&] { return ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, kMode); });
  if (descriptor_ < 0) throw lock_failure(path, errno);
  if (uninterrupted([&] { return ::flock(descriptor_, LOCK_EX | LOCK_NB); }) == 0) return;
  const int error = errno;
  ::close(descriptor_);
  if (error == EWOULDBLOCK) throw FileError(held);
  throw lock_failure(path, error);
}

FileLock::~FileLock() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

int FileLock::release() { return std::exchange(descriptor_, -1); }

}  // namespace roformer
