// Backends by name: those of this program, and plug-ins that are loaded when they are asked for.
//
// A plug-in is a shared library, libroformer_NAME.so, in a directory of ROFORMER_BACKEND_PATH (absolute paths,
// separated by colons) or beside the program, linked with the room backend/ of the same source. It shows one C
// function:
//
//   extern "C" __attribute__((visibility("default"))) const roformer::BackendEntry* roformer_backend() {
//     static constexpr roformer::BackendEntry entry{roformer::kBackendInterface, "NAME", make};
//     return &entry;
//   }
//
// Rejected: plug-ins that find the program's own functions. A program would have to show them all, and so would every
// program that links libroformer.so; and a plug-in that has its own is checked by one number.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "backend/backend.h"

namespace roformer {

// To be raised by whoever changes backend.h or a type that its functions take.
inline constexpr uint32_t kBackendInterface = 1;

struct BackendEntry {
  uint32_t interface_version;  // kBackendInterface where it was compiled; nothing else is read if it is not ours
  const char* name;            // lower-case letters, digits, '_' and '-'
  // UsageError for a precision that it does not have.
  std::unique_ptr<Backend> (*make)(ThreadPool& pool, Precision precision);
};

// For a program that brings a backend of its own. UsageError for another interface, or a name that is taken or none.
void register_backend(const BackendEntry& entry);

// Those registered, and the plug-ins that could be loaded, by their files' names; in alphabetical order.
std::vector<std::string> backend_names();

}  // namespace roformer
