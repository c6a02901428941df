// Loaded into a program with LD_PRELOAD: counts its calls that change files below one directory, and at one of them
// kills the process or lets calls fail. It knows the program's files only by their paths, so it tests what the program
// does, not what the program says it does.
//   FAULT_DIRECTORY  the directory, an absolute path
//   FAULT_AT         the number of the call, from 1
//   FAULT_KIND       kill: the process ends there, in the middle of it if it is a write
//                    power: so, and what was written but not fsynced is lost
//                    full: from there on what needs space fails with ENOSPC; of the first write half is done
//                    error: this call alone fails with EIO
//   FAULT_REPORT     a file that gets "CALL PATH" of the call when the fault happens
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>

namespace {

enum class Kind { none, kill, power, full, error };
enum class Need { nothing, space };  // what a full disk refuses

// A file that was written after its last fsync.
struct Dirty {
  int descriptor = -1;  // our own
  ino_t inode = 0;
  off_t safe_size = 0;
};

struct State {
  std::recursive_mutex mutex;
  const char* directory = std::getenv("FAULT_DIRECTORY");
  long at = std::getenv("FAULT_AT") != nullptr ? std::atol(std::getenv("FAULT_AT")) : 0;
  Kind kind = Kind::none;
  long count = 0;
  Dirty dirty[64];

  State() {
    const char* name = std::getenv("FAULT_KIND");
    if (name == nullptr || directory == nullptr) return;
    const char* const names[] = {"none", "kill", "power", "full", "error"};
    for (int i = 0; i < 5; ++i) {
      if (std::strcmp(name, names[i]) == 0) kind = static_cast<Kind>(i);
    }
  }
};

State& state() {
  static State& the_state = *new State;  // never destroyed: files are written until the very end
  return the_state;
}

template <class Function>
Function* next(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

bool below(const char* path) {
  const State& s = state();
  return s.kind != Kind::none && std::strncmp(path, s.directory, std::strlen(s.directory)) == 0;
}

struct Path {
  char text[PATH_MAX] = "";
  explicit Path(int descriptor) {
    char link[64];
    std::snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    const ssize_t length = readlink(link, text, sizeof text - 1);
    text[length > 0 ? length : 0] = '\0';
  }
  // Of a name in a directory, as the …at calls take it.
  Path(int directory, const char* name) {
    if (name[0] == '/' || directory == AT_FDCWD) {
      std::snprintf(text, sizeof text, "%s", name);
    } else {
      const Path parent(directory);
      std::snprintf(text, sizeof text, "%.2000s/%.2000s", parent.text, name);
    }
  }
};

void report(const char* call, const char* path) {
  const char* file = std::getenv("FAULT_REPORT");
  if (file == nullptr) return;
  const int descriptor = static_cast<int>(syscall(SYS_open, file, O_WRONLY | O_CREAT | O_TRUNC, 0666));
  for (const char* part : {call, " ", path}) syscall(SYS_write, descriptor, part, std::strlen(part));
  syscall(SYS_close, descriptor);
}

[[noreturn]] void end_process() {
  State& s = state();
  if (s.kind == Kind::power) {
    for (const Dirty& dirty : s.dirty) {
      if (dirty.descriptor >= 0) syscall(SYS_ftruncate, dirty.descriptor, dirty.safe_size);
    }
  }
  while (true) kill(getpid(), SIGKILL);
}

// Counts a call. True if it must fail, with errno set; does not return if the process ends here. `half` is run first
// when the fault strikes a write.
template <class Half>
bool strikes(const char* call, const char* path, Need need, const Half& half) {
  State& s = state();
  if (!below(path)) return false;
  const std::lock_guard lock(s.mutex);
  const long number = ++s.count;
  if (number == s.at) {
    report(call, path);
    half();
  }
  if (number == s.at && (s.kind == Kind::kill || s.kind == Kind::power)) end_process();
  if (number == s.at && s.kind == Kind::error) return errno = EIO, true;
  if (s.at > 0 && number >= s.at && s.kind == Kind::full && need == Need::space) return errno = ENOSPC, true;
  return false;
}

bool strikes(const char* call, const char* path, Need need) {
  return strikes(call, path, need, [] {});
}

void remember(int descriptor) {
  State& s = state();
  struct stat status;
  if (s.kind != Kind::power || fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode)) return;
  const std::lock_guard lock(s.mutex);
  for (const Dirty& dirty : s.dirty) {
    if (dirty.descriptor >= 0 && dirty.inode == status.st_ino) return;
  }
  for (Dirty& dirty : s.dirty) {
    if (dirty.descriptor >= 0) continue;
    // Its own opening of the file: writable whatever `descriptor` is, and not counted.
    char link[64];
    std::snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    dirty = {static_cast<int>(syscall(SYS_open, link, O_WRONLY | O_CLOEXEC)), status.st_ino, status.st_size};
    return;
  }
}

void forget(int descriptor) {
  State& s = state();
  struct stat status;
  if (s.kind != Kind::power || fstat(descriptor, &status) != 0) return;
  const std::lock_guard lock(s.mutex);
  for (Dirty& dirty : s.dirty) {
    if (dirty.descriptor < 0 || dirty.inode != status.st_ino) continue;
    syscall(SYS_close, dirty.descriptor);
    dirty.descriptor = -1;
  }
}

bool changes(int flags) { return (flags & O_ACCMODE) != O_RDONLY || (flags & O_CREAT) != 0; }

int open_counted(const char* call, int directory, const char* name, int flags, mode_t mode) {
  const Path path(directory, name);
  if (changes(flags) && strikes(call, path.text, Need::space)) return -1;
  return static_cast<int>(syscall(SYS_openat, directory, name, flags, mode));
}

}  // namespace

extern "C" {

int open(const char* name, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = va_arg(arguments, mode_t);
  va_end(arguments);
  return open_counted("open", AT_FDCWD, name, flags, mode);
}

int open64(const char* name, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = va_arg(arguments, mode_t);
  va_end(arguments);
  return open_counted("open", AT_FDCWD, name, flags, mode);
}

int openat(int directory, const char* name, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = va_arg(arguments, mode_t);
  va_end(arguments);
  return open_counted("openat", directory, name, flags, mode);
}

ssize_t write(int descriptor, const void* data, size_t size) {
  static auto* const real = next<ssize_t(int, const void*, size_t)>("write");
  const Path path(descriptor);
  if (below(path.text)) remember(descriptor);
  ssize_t done = 0;
  const bool failed = strikes("write", path.text, Need::space, [&] {
    if (state().kind != Kind::error && size > 1) done = real(descriptor, data, size / 2);
  });
  if (done > 0) return done;
  return failed ? -1 : real(descriptor, data, size);
}

int fsync(int descriptor) {
  static auto* const real = next<int(int)>("fsync");
  if (strikes("fsync", Path(descriptor).text, Need::space)) return -1;
  const int result = real(descriptor);
  if (result == 0) forget(descriptor);
  return result;
}

int ftruncate(int descriptor, off_t size) {
  static auto* const real = next<int(int, off_t)>("ftruncate");
  return strikes("ftruncate", Path(descriptor).text, Need::nothing) ? -1 : real(descriptor, size);
}

int close(int descriptor) {
  static auto* const real = next<int(int)>("close");
  const bool written = changes(fcntl(descriptor, F_GETFL));
  const bool failed = written && strikes("close", Path(descriptor).text, Need::nothing);
  const int result = real(descriptor);  // the descriptor is gone even if close fails
  return failed ? (errno = EIO, -1) : result;
}

int mkdir(const char* name, mode_t mode) {
  static auto* const real = next<int(const char*, mode_t)>("mkdir");
  return strikes("mkdir", name, Need::space) ? -1 : real(name, mode);
}

int rename(const char* from, const char* to) {
  static auto* const real = next<int(const char*, const char*)>("rename");
  return strikes("rename", from, Need::space) ? -1 : real(from, to);
}

int renameat2(int from_directory, const char* from, int to_directory, const char* to, unsigned flags) {
  static auto* const real = next<int(int, const char*, int, const char*, unsigned)>("renameat2");
  return strikes("renameat2", from, Need::space) ? -1 : real(from_directory, from, to_directory, to, flags);
}

int link(const char* from, const char* to) {
  static auto* const real = next<int(const char*, const char*)>("link");
  return strikes("link", to, Need::space) ? -1 : real(from, to);
}

int unlink(const char* name) {
  static auto* const real = next<int(const char*)>("unlink");
  return strikes("unlink", name, Need::nothing) ? -1 : real(name);
}

int unlinkat(int directory, const char* name, int flags) {
  static auto* const real = next<int(int, const char*, int)>("unlinkat");
  return strikes("unlinkat", Path(directory, name).text, Need::nothing) ? -1 : real(directory, name, flags);
}

int rmdir(const char* name) {
  static auto* const real = next<int(const char*)>("rmdir");
  return strikes("rmdir", name, Need::nothing) ? -1 : real(name);
}

int remove(const char* name) {
  static auto* const real = next<int(const char*)>("remove");
  return strikes("remove", name, Need::nothing) ? -1 : real(name);
}

}  // extern "C"
