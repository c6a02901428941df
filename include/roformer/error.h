// What the library throws. Every error of its own is a roformer::Error whose message says what is wrong, where (file,
// tensor, setting) and what was expected; apart from these only the standard library's exceptions come out of it, such
// as std::bad_alloc.
#pragma once

#include <stdexcept>
#include <string>

#include "roformer/export.h"

namespace roformer {

enum class ErrorKind {
  usage,        // a setting or combination of settings that cannot be
  data,         // the content of a file or a text is not what it must be
  file,         // the operating system refused: no such file, no permission, no space
  shape,        // two tensors or types that do not fit each other
  interrupted,  // stopped on request, after saving
};

class ROFORMER_EXPORT Error : public std::runtime_error {
 public:
  ~Error() override;  // out of line: the type information has one home

  ErrorKind kind() const noexcept { return kind_; }
  // What a program that prints the message should exit with: 2 for usage, 130 for interrupted, 1 for the rest.
  int exit_code() const noexcept { return kind_ == ErrorKind::usage ? 2 : kind_ == ErrorKind::interrupted ? 130 : 1; }

 protected:
  Error(ErrorKind kind, const std::string& message) : std::runtime_error(message), kind_(kind) {}

 private:
  ErrorKind kind_;
};

}  // namespace roformer
