// What the library throws. Every error of its own is a roformer::Error whose message says what is wrong, where (file,
// tensor, setting) and what was expected; apart from these only the standard library's exceptions come out of it, such
// as std::bad_alloc.
//
// All public names are in the inline namespace v0: programs write roformer::Error, and the linker sees which interface
// they were compiled for. It changes with SOVERSION.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>

#include "roformer/export.h"

namespace roformer {
inline namespace v0 {

enum class ErrorKind {
  usage,        // an invalid setting or combination of settings
  data,         // invalid content of a file or a text
  file,         // the operating system refused: no such file, no permission, no space
  shape,        // incompatible shapes or types of tensors
  interrupted,  // stopped on request; nothing that existed before is lost
};

// What an error is about, for programs; its message says the same in words. Members that do not apply are empty (0);
// where the message names several, the first.
struct ErrorDetail {
  std::string field;   // of a struct of options: "max_length"
  std::string path;    // a file or directory
  std::string key;     // of a JSON or TOML file: "hidden_size"
  std::string tensor;  // by its name in the file
  int64_t line = 0;    // of the file or text, from 1
};

class ROFORMER_EXPORT Error : public std::runtime_error {
 public:
  Error(const Error&) noexcept;
  Error& operator=(const Error&) noexcept;
  ~Error() override;  // out of line, so that the type information is emitted once

  ErrorKind kind() const noexcept { return kind_; }
  const ErrorDetail& detail() const noexcept;
  // The message with every field it names spelled by `spell`: a program may name its settings differently.
  std::string message(const std::function<std::string(const std::string& field)>& spell) const;
  // What a program that prints the message should exit with: 2 for usage, 130 for interrupted, 1 for the rest.
  int exit_code() const noexcept { return kind_ == ErrorKind::usage ? 2 : kind_ == ErrorKind::interrupted ? 130 : 1; }

 protected:
  struct Content;
  Error(ErrorKind kind, std::shared_ptr<const Content> content);
  const Content& content() const noexcept { return *content_; }

 private:
  ErrorKind kind_;
  std::shared_ptr<const Content> content_;
};

}  // namespace v0
}  // namespace roformer
