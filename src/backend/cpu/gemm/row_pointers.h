// Addresses of a tile's rows, three to a pointer: an instruction adds none, one or two strides by itself. Twelve rows
// take five registers so; with a pointer each they do not fit the general registers.
#pragma once

#include <cstdint>
#include <cstring>

namespace roformer::tile {

template <class T, int kCount>
class RowPointers {
 public:
  // `stride` in elements.
  __attribute__((always_inline)) RowPointers(const T* a, int64_t stride)
      : stride_(stride * static_cast<int64_t>(sizeof(T))) {
#pragma GCC unroll 4
    for (int i = 0; i < kPointers; ++i) first_[i] = reinterpret_cast<const char*>(a + 3 * i * stride);
  }

  // The element of row i, or as many from there as a Group has.
  template <class Group = T>
  __attribute__((always_inline)) Group at(int i) const {
    Group group;
    std::memcpy(&group, first_[i / 3] + i % 3 * stride_, sizeof group);
    return group;
  }

  // Moves to the next `elements`. The compiler must not see through this, or it makes a pointer of each row again.
  __attribute__((always_inline)) void advance(int64_t elements) {
#pragma GCC unroll 4
    for (int i = 0; i < kPointers; ++i) {
      first_[i] += elements * static_cast<int64_t>(sizeof(T));
      asm("" : "+r"(first_[i]));
    }
  }

 private:
  static constexpr int kPointers = (kCount + 2) / 3;

  int64_t stride_;
  const char* first_[kPointers];
};

}  // namespace roformer::tile
