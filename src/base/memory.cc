#include "base/memory.h"

#include <fcntl.h>
#include <unistd.h>

#include <string>

#include "base/file.h"
#include "roformer/error.h"

namespace roformer {

std::optional<int64_t> peak_memory() {
  constexpr int64_t kMaxStatusBytes = 1 << 16;
  try {
    const std::string status = read_file("/proc/self/status", kMaxStatusBytes);
    const size_t at = status.find("VmHWM:");
    if (at == std::string::npos) return {};
    return std::stoll(status.substr(at + 6)) * 1024;  // "VmHWM:   12345 kB"
  } catch (const Error&) {
    return {};
  }
}

int64_t available_memory() {
  constexpr int64_t kMaxBytes = 1 << 16;
  try {
    const std::string info = read_file("/proc/meminfo", kMaxBytes);
    const size_t at = info.find("MemAvailable:");
    if (at != std::string::npos) return std::stoll(info.substr(at + 13)) * 1024;  // "MemAvailable:   12345 kB"
  } catch (const Error&) {
    // as if the entry were absent
  }
  return static_cast<int64_t>(sysconf(_SC_PHYS_PAGES)) * sysconf(_SC_PAGESIZE);
}

// proc(5): writing 5 to clear_refs resets the peak to the current size.
bool reset_peak_memory() {
  const int descriptor = ::open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);
  if (descriptor < 0) return false;
  const bool written = ::write(descriptor, "5", 1) == 1;
  ::close(descriptor);
  return written;
}

}  // namespace roformer
