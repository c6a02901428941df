// The kinds of error this project throws. Each message is one line that says what is wrong, where, and what was
// expected. Names in a message are passed as typed arguments and become members of the error's detail:
//   throw UsageError("{} is {}, expected at least 1", FieldName("seeds"), seeds);          // detail().field == "seeds"
//   throw FileError("cannot open '{}': {}", FilePath(path), reason);                       // detail().path
// The command line has one handler that prints the message, with fields spelled as flags (--seeds), and exits with
// `exit_code()`. Users of the library see only their base class, roformer/error.h, which needs no fmt.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "roformer/error.h"

namespace roformer {

// A name in a message: `name` goes into the detail, `shown` into the message.
struct NamedArgument {
  explicit NamedArgument(std::string_view both) : name(both), shown(both) {}
  NamedArgument(std::string_view member, std::string_view text) : name(member), shown(text) {}
  std::string_view name, shown;
};
// A field of an options struct: "max_length".
struct FieldName {
  explicit FieldName(std::string_view text) : name(text) {}
  std::string_view name;
};
struct FilePath : NamedArgument {
  using NamedArgument::NamedArgument;
};
struct KeyName : NamedArgument {
  using NamedArgument::NamedArgument;
};
struct TensorName : NamedArgument {
  using NamedArgument::NamedArgument;
};
struct LineNumber {
  explicit LineNumber(int64_t line) : number(line) {}
  int64_t number;
};

struct Error::Content {
  struct Mention {
    size_t begin, length;
  };
  std::string message;
  ErrorDetail detail;
  std::vector<Mention> fields;  // where field names occur in the message, in order

  // `blanked` is the message with each of the `names` replaced by as many other characters. Comparing the two locates
  // the names, whatever untrusted text the rest holds.
  static std::shared_ptr<const Content> make(std::string message, std::string_view blanked,
                                             const std::vector<std::string>& names, ErrorDetail detail);
  std::shared_ptr<const Content> prefixed(std::string_view prefix) const;
};

// Collects the names among the arguments of a message.
class ErrorNames {
 public:
  template <class... Args>
  explicit ErrorNames(const Args&... args) {
    (collect(args), ...);
  }
  template <class T>
  static const T& blanked(const T& argument) {
    return argument;
  }
  static std::string blanked(const FieldName& field) { return std::string(field.name.size(), '\0'); }

  std::vector<std::string> fields;
  ErrorDetail detail;

 private:
  template <class T>
  void collect(const T& argument) {
    if constexpr (std::is_same_v<T, FieldName>) {
      fields.emplace_back(argument.name);
      set_once(detail.field, argument.name);
    } else if constexpr (std::is_same_v<T, FilePath>) {
      set_once(detail.path, argument.name);
    } else if constexpr (std::is_same_v<T, KeyName>) {
      set_once(detail.key, argument.name);
    } else if constexpr (std::is_same_v<T, TensorName>) {
      set_once(detail.tensor, argument.name);
    } else if constexpr (std::is_same_v<T, LineNumber>) {
      if (detail.line == 0) detail.line = argument.number;
    }
  }
  static void set_once(std::string& member, std::string_view name) {
    if (member.empty()) member = name;
  }
};

template <ErrorKind error_kind>
class ErrorOf : public Error {
 public:
  template <class... Args>
  explicit ErrorOf(fmt::format_string<Args...> format, Args&&... args)
      : Error(error_kind, make(ErrorNames(args...), fmt::vformat(format, fmt::make_format_args(args...)),
                               fmt::vformat(format, fmt::make_format_args(ErrorNames::blanked(args)...)))) {}

  // The same error with `prefix` before its message.
  ErrorOf prefixed(std::string_view prefix) const { return ErrorOf(content().prefixed(prefix)); }

 private:
  explicit ErrorOf(std::shared_ptr<const Content> content) : Error(error_kind, std::move(content)) {}
  static std::shared_ptr<const Content> make(ErrorNames names, std::string message, std::string_view blanked) {
    return Content::make(std::move(message), blanked, names.fields, std::move(names.detail));
  }
};

// Invalid usage: an unknown option, an impossible combination of settings. Exit code 2.
using UsageError = ErrorOf<ErrorKind::usage>;
// Invalid content of a file or text. Exit code 1.
using DataError = ErrorOf<ErrorKind::data>;
// The operating system reported an error: no such file, no permission, no space. Exit code 1.
using FileError = ErrorOf<ErrorKind::file>;
// A C++ caller broke a precondition (tensor shapes, types, state). Exit code 1.
using ShapeError = ErrorOf<ErrorKind::shape>;
// A stop was requested (std::stop_token); existing results are left intact. Exit code 130.
using Interrupted = ErrorOf<ErrorKind::interrupted>;

struct NameFormatter : fmt::formatter<std::string_view> {
  template <class Context>
  auto format(const NamedArgument& argument, Context& context) const {
    return fmt::formatter<std::string_view>::format(argument.shown, context);
  }
};

}  // namespace roformer

template <>
struct fmt::formatter<roformer::FieldName> : fmt::formatter<std::string_view> {
  template <class Context>
  auto format(const roformer::FieldName& field, Context& context) const {
    return fmt::formatter<std::string_view>::format(field.name, context);
  }
};
template <>
struct fmt::formatter<roformer::FilePath> : roformer::NameFormatter {};
template <>
struct fmt::formatter<roformer::KeyName> : roformer::NameFormatter {};
template <>
struct fmt::formatter<roformer::TensorName> : roformer::NameFormatter {};
template <>
struct fmt::formatter<roformer::LineNumber> : fmt::formatter<int64_t> {
  template <class Context>
  auto format(const roformer::LineNumber& line, Context& context) const {
    return fmt::formatter<int64_t>::format(line.number, context);
  }
};
