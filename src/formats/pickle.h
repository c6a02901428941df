// A pickle as plain data (Python's Lib/pickletools.py says what each opcode means). Nothing in it is executed or
// imported: globals (classes and functions) must be in the caller's allowlist, and calls become nodes of kind `call`.
// Only collections.OrderedDict is interpreted, as a dict. Protocols 2 to 5.
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
  int64_t integer = 0;          // integer, boolean
  std::string_view text;        // text, bytes, bytes of a big_integer, module of a global
  std::string_view name;        // of a global, within its module
  std::vector<PickleId> items;  // of list and tuple; of dict: key, value, key, value; of call: the callee and its
                                // argument tuple; of persistent: its id
};

class Pickle {
 public:
  Pickle(Pickle&&) = default;  // nodes hold views
  // Reads the pickle at the start of `bytes`, which must outlive it. `source` starts error messages; `allowed` lists
  // globals as "module.name". DataError if malformed, and beyond 4 million objects or 20 million steps.
  Pickle(std::string_view bytes, const FilePath& source, std::span<const std::string_view> allowed);

  const PickleNode& root() const { return nodes_[root_]; }
  const PickleNode& operator[](PickleId id) const { return nodes_[id]; }
  const std::vector<PickleNode>& nodes() const { return nodes_; }  // may be cyclic
  uint64_t size() const { return size_; }                          // bytes consumed

  // Whether `node` is the global "module.name", or a call of it.
  bool is_global(const PickleNode& node, std::string_view full_name) const;
  bool is_call(const PickleNode& node, std::string_view full_name) const;

 private:
  std::vector<PickleNode> nodes_;
  PickleId root_ = 0;
  uint64_t size_ = 0;
};

}  // namespace roformer
