// Shared by the functions of roformer.h: objects behind handles, checks of pointers, exceptions as statuses.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <exception>
#include <memory>
#include <mutex>
#include <new>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "roformer/roformer.h"
#include "roformer/version.h"

namespace roformer {

// Shared by a roformer_stop and what was opened with it.
class StopSwitch {
 public:
  void request() {
    const std::lock_guard lock(mutex_);
    source_.request_stop();
  }
  void reset() {
    const std::lock_guard lock(mutex_);
    source_ = std::stop_source();
  }
  std::stop_token token() const {
    const std::lock_guard lock(mutex_);
    return source_.get_token();
  }

 private:
  mutable std::mutex mutex_;
  std::stop_source source_;
};

// A switch that nobody else holds where `stop` is null.
std::shared_ptr<StopSwitch> switch_of(const roformer_stop* stop);

roformer_status report(roformer_error* error, roformer_status status, std::string_view message);
// Reports a roformer::Error, including the details for roformer_last_error().
roformer_status report(roformer_error* error, const Error& caught);
void forget_last_error();

template <class Body>
roformer_status guarded(roformer_error* error, Body&& body) noexcept {
  forget_last_error();
  try {
    body();
    return report(error, ROFORMER_OK, "");
  } catch (const Error& caught) {
    return report(error, caught);
  } catch (const std::bad_alloc&) {
    return report(error, ROFORMER_OUT_OF_MEMORY, "out of memory");
  } catch (const std::exception& caught) {
    return report(error, ROFORMER_INTERNAL_ERROR, caught.what());
  } catch (...) {
    return report(error, ROFORMER_INTERNAL_ERROR, "unknown exception");
  }
}

template <class T>
T& required(T* pointer, const char* name) {
  if (pointer == nullptr) throw UsageError("{} is NULL", FieldName(name));
  return *pointer;
}

std::string_view text_of(const char* text, size_t length, const char* name = "text");
std::vector<std::string_view> texts_of(const char* const* texts, const size_t* lengths, size_t count);

// Element `index` of `list`, or null.
inline const char* element_of(const std::vector<std::string>& list, size_t index) {
  return index < list.size() ? list[index].c_str() : nullptr;
}

// The caller's options, of whichever version: `first` bytes had the oldest one. Fields that it does not have are 0.
template <class Options>
Options known_options(const Options* given, const char* name, size_t first) {
  Options options{};
  if (given == nullptr) return options;
  constexpr size_t kMaxStructSize = 1 << 16;
  const size_t size = given->struct_size;
  if (size < first || size > kMaxStructSize) {
    throw UsageError("{} of {} is {}, expected the struct's size: start from its _INIT", FieldName("struct_size"), name,
                     size);
  }
  const auto* bytes = reinterpret_cast<const unsigned char*>(given);
  if (std::any_of(bytes + std::min(size, sizeof(Options)), bytes + size,
                  [](unsigned char byte) { return byte != 0; })) {
    throw UsageError("{} of {} is {}: it sets options of a library newer than this one ({})", FieldName("struct_size"),
                     name, size, version());
  }
  std::memcpy(&options, given, std::min(size, sizeof(Options)));
  return options;
}

// A field of 0 leaves the default, a negative one means 0.
inline void set_or_none(double& option, double given) {
  if (given != 0) option = given < 0 ? 0 : given;
}
template <class T>
void set_if_given(T& option, T given) {
  if (given != T()) option = given;
}
inline void set_if_given(std::string& option, const char* given) {
  if (given != nullptr) option = given;
}

}  // namespace roformer

struct roformer_stop {
  std::shared_ptr<roformer::StopSwitch> inner = std::make_shared<roformer::StopSwitch>();
};
