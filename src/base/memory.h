// How much memory this process takes, as Linux tells it.
#pragma once

#include <cstdint>
#include <optional>

namespace roformer {

// Bytes: the largest resident size since the start of the process, or since the last reset. None where the system does
// not say. Not what getrusage says, which counts what this process was before it became this program.
std::optional<int64_t> peak_memory();
// Bytes that a program could take now without driving others out; all of the machine's where the system does not say.
int64_t available_memory();
// False where the system does not allow it.
bool reset_peak_memory();

}  // namespace roformer
