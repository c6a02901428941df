// A pickle as plain data (Python's Lib/pickletools.py says what each opcode means). Nothing in it is executed or
// imported: where it asks for a class or a function by name, the name must be one that the caller allows, and where it
// asks for a call, the call becomes a node that says so. Only collections.OrderedDict is understood here, as the
// dictionary it is. Protocols 2 to 5. What Python ignores or cannot express is refused.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace roformer {

using PickleId = uint32_t;

struct PickleNode {
  enum class Kind : uint8_t {
    none,
    boolean,
    integer,
    big_integer,
    real,
    text,
    bytes,
    list,
    tuple,
    dict,
    global,
    call,
    persistent
  };
  Kind kind = Kind::none;
  int64_t integer = 0;          // also of boolean
  std::string_view text;        // text, bytes, a big integer's bytes, a global's module
  std::string_view name;        // of a global in its module
  std::vector<PickleId> items;  // of a list or tuple; of a dict: key, value, key, value; of a call: what is called, its
                                // tuple of arguments; of a persistent: its identity
};

class Pickle {
 public:
  Pickle(Pickle&&) = default;  // its names are views: moved, not copied
  // Reads the pickle at the start of `bytes`, which must outlive it. `source` starts the messages; `allowed` are names
  // as "module.name". DataError for anything wrong, and beyond 4 million objects or 20 million steps.
  Pickle(std::string_view bytes, const FilePath& source, std::span<const std::string_view> allowed);

  const PickleNode& root() const { return nodes_[root_]; }
  const PickleNode& operator[](PickleId id) const { return nodes_[id]; }
  const std::vector<PickleNode>& nodes() const { return nodes_; }  // may contain each other
  uint64_t size() const { return size_; }                          // bytes it took

  // Whether `node` is the global "module.name", or a call of it.
  bool is_global(const PickleNode& node, std::string_view full_name) const;
  bool is_call(const PickleNode& node, std::string_view full_name) const;

 private:
  std::vector<PickleNode> nodes_;
  PickleId root_ = 0;
  uint64_t size_ = 0;
};

}  // namespace roformer
