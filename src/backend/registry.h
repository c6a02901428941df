// Backends by name: those of this program, and plug-ins, which are loaded on demand.
//
// A plug-in is a shared library, libroformer_NAME.so, in a directory of ROFORMER_BACKEND_PATH (absolute paths,
// separated by colons) or beside the program, linked with backend/ of the same source (target roformer_backend). It
// exports one C function:
//
//   extern "C" __attribute__((visibility("default"))) const roformer::BackendEntry* roformer_backend() {
//     static constexpr roformer::BackendEntry entry{roformer::kBackendInterface, "NAME", make};
//     return &entry;
//   }
//
// Rejected: plug-ins that use the program's own functions. The program, and every program that links libroformer.so,
// would have to export them all; a self-contained plug-in is checked by one version number.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "backend/backend.h"

namespace roformer {

// Increment when backend.h or a type that its functions take changes.
inline constexpr uint32_t kBackendInterface = 1;

struct BackendEntry {
  uint32_t interface_version;  // kBackendInterface of its build; nothing else is read if it differs from ours
  const char* name;            // lower-case letters, digits, '_' and '-'
  // UsageError for an unsupported precision.
  std::unique_ptr<Backend> (*make)(ThreadPool& pool, Precision precision);
};

// For programs with their own backend. UsageError for another interface version, or a name that is taken or invalid.
void register_backend(const BackendEntry& entry);

// Registered backends, and plug-ins found by file name, in alphabetical order.
std::vector<std::string> backend_names();

}  // namespace roformer
