// Indices: immutable token ids, row indices or positions. Copies share the memory, so that saving them for the backward
// pass is free.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

namespace roformer {

class Indices {
 public:
  Indices() = default;
  // A copy, unless the vector is moved.
  Indices(std::vector<int32_t> values)  // NOLINT(google-explicit-constructor): accepts a vector everywhere
      : values_(std::make_shared<const std::vector<int32_t>>(std::move(values))) {}
  Indices(std::span<const int32_t> values)  // NOLINT(google-explicit-constructor)
      : Indices(std::vector<int32_t>(values.begin(), values.end())) {}

  operator std::span<const int32_t>() const { return span(); }  // NOLINT(google-explicit-constructor)
  std::span<const int32_t> span() const {
    return values_ == nullptr ? std::span<const int32_t>() : std::span<const int32_t>(*values_);
  }
  size_t size() const { return span().size(); }
  bool empty() const { return span().empty(); }
  int32_t back() const { return values_->back(); }
  int32_t operator[](size_t i) const { return (*values_)[i]; }

 private:
  std::shared_ptr<const std::vector<int32_t>> values_;
};

}  // namespace roformer
