#include "base/hash.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <new>

namespace roformer {

namespace {

std::string to_hex(XXH128_hash_t hash) { return fmt::format("{:016x}{:016x}", hash.high64, hash.low64); }

}  // namespace

struct Hasher::State {
  State() : xxh3(XXH3_createState()) {
    if (xxh3 == nullptr) throw std::bad_alloc();
    XXH3_128bits_reset(xxh3);
  }
  ~State() { XXH3_freeState(xxh3); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  XXH3_state_t* xxh3;
};

Hasher::Hasher() : state_(std::make_unique<State>()) {}
Hasher::~Hasher() = default;

void Hasher::update(const void* data, int64_t size) {
  if (size > 0) XXH3_128bits_update(state_->xxh3, data, static_cast<size_t>(size));
}

std::string Hasher::hex() const { return to_hex(XXH3_128bits_digest(state_->xxh3)); }

std::string hash_hex(std::string_view bytes) { return to_hex(XXH3_128bits(bytes.data(), bytes.size())); }

}  // namespace roformer
