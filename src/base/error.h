// The few kinds of error this project throws. Each message is one line that says what is wrong, where, and what was
// expected. The command line has one handler that prints the message and exits with `exit_code()`. Users of the library
// see only their base class, roformer/error.h, which needs no fmt.
#pragma once

#include <fmt/format.h>

#include <utility>

#include "roformer/error.h"

namespace roformer {

// The person called us wrongly: unknown option, impossible combination of settings. Exit code 2.
class UsageError : public Error {
 public:
  template <class... Args>
  explicit UsageError(fmt::format_string<Args...> format, Args&&... args)
      : Error(ErrorKind::usage, fmt::format(format, std::forward<Args>(args)...)) {}
};

// The content of a file or a text is not what it must be. Exit code 1.
class DataError : public Error {
 public:
  template <class... Args>
  explicit DataError(fmt::format_string<Args...> format, Args&&... args)
      : Error(ErrorKind::data, fmt::format(format, std::forward<Args>(args)...)) {}
};

// The operating system refused: no such file, no permission, no space. Exit code 1.
class FileError : public Error {
 public:
  template <class... Args>
  explicit FileError(fmt::format_string<Args...> format, Args&&... args)
      : Error(ErrorKind::file, fmt::format(format, std::forward<Args>(args)...)) {}
};

// Two parts of the program disagree (tensor shapes, types): a mistake of the caller in C++. Exit code 1.
class ShapeError : public Error {
 public:
  template <class... Args>
  explicit ShapeError(fmt::format_string<Args...> format, Args&&... args)
      : Error(ErrorKind::shape, fmt::format(format, std::forward<Args>(args)...)) {}
};

// The person asked to stop; work was saved first. Exit code 130.
class Interrupted : public Error {
 public:
  template <class... Args>
  explicit Interrupted(fmt::format_string<Args...> format, Args&&... args)
      : Error(ErrorKind::interrupted, fmt::format(format, std::forward<Args>(args)...)) {}
};

}  // namespace roformer
