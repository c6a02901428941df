// Memory use of this process and memory available on the machine, as reported by Linux.
#pragma once

#include <cstdint>
#include <optional>

namespace roformer {

// Peak resident set size in bytes since the process started or since the last reset; none if unknown. getrusage is not
// used because its peak includes the process image before exec.
std::optional<int64_t> peak_memory();
// Bytes that can be allocated without swapping (MemAvailable); the machine's total if that is unknown.
int64_t available_memory();
// False if the system does not allow it.
bool reset_peak_memory();

}  // namespace roformer
