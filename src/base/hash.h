// XXH3-128 checksums (Yann Collet's xxHash). They detect damaged files; they do not authenticate.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace roformer {

class Hasher {
 public:
  Hasher();
  ~Hasher();
  Hasher(const Hasher&) = delete;
  Hasher& operator=(const Hasher&) = delete;

  void update(const void* data, int64_t size);
  std::string hex() const;  // of all bytes so far: 32 digits, as printed by `xxhsum -H128`

 private:
  struct State;
  std::unique_ptr<State> state_;
};

std::string hash_hex(std::string_view bytes);

}  // namespace roformer
