#include "library/c_support.h"

#include <array>

#include "base/utf8.h"

namespace roformer {

namespace {

// What roformer_last_error() returns, one text for each roformer_error_detail.
thread_local std::array<std::string, 5> last_error;

roformer_status status_of(const Error& error) {
  switch (error.kind()) {
    case ErrorKind::usage: return ROFORMER_USAGE_ERROR;
    case ErrorKind::data: return ROFORMER_DATA_ERROR;
    case ErrorKind::interrupted: return ROFORMER_INTERRUPTED;
    case ErrorKind::file: return ROFORMER_FILE_ERROR;
    case ErrorKind::shape: break;
  }
  return ROFORMER_INTERNAL_ERROR;
}

}  // namespace

std::shared_ptr<StopSwitch> switch_of(const roformer_stop* stop) {
  return stop != nullptr ? stop->inner : std::make_shared<StopSwitch>();
}

roformer_status report(roformer_error* error, roformer_status status, std::string_view message) {
  if (error == nullptr) return status;
  const size_t length = first_bytes(message, sizeof(error->message) - 1).size();
  error->status = status;
  std::memcpy(error->message, message.data(), length);
  error->message[length] = '\0';
  return status;
}

roformer_status report(roformer_error* error, const Error& caught) {
  try {
    const ErrorDetail& detail = caught.detail();
    last_error = {detail.field, detail.path, detail.key, detail.tensor,
                  detail.line > 0 ? std::to_string(detail.line) : std::string()};
  } catch (const std::bad_alloc&) {
    // the message is more important
  }
  return report(error, status_of(caught), caught.what());
}

void forget_last_error() {
  for (std::string& text : last_error) text.clear();
}

std::string_view text_of(const char* text, size_t length, const char* name) {
  if (text == nullptr && length == 0) return {};
  required(text, name);
  return length == ROFORMER_NUL_TERMINATED ? std::string_view(text) : std::string_view(text, length);
}

std::vector<std::string_view> texts_of(const char* const* texts, const size_t* lengths, size_t count) {
  std::vector<std::string_view> result;
  if (count > 0) required(texts, "texts");
  for (size_t i = 0; i < count; ++i) {
    result.push_back(text_of(texts[i], lengths == nullptr ? ROFORMER_NUL_TERMINATED : lengths[i]));
  }
  return result;
}

}  // namespace roformer

const char* roformer_version(void) { return roformer::version(); }

const char* roformer_last_error(roformer_error_detail detail) {
  const auto index = static_cast<size_t>(detail);
  return index < roformer::last_error.size() ? roformer::last_error[index].c_str() : "";
}

roformer_stop* roformer_stop_new(void) {
  try {
    return new roformer_stop;
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

void roformer_stop_request(roformer_stop* stop) {
  if (stop != nullptr) stop->inner->request();
}

void roformer_stop_reset(roformer_stop* stop) {
  if (stop != nullptr) stop->inner->reset();
}

void roformer_stop_free(roformer_stop* stop) { delete stop; }
