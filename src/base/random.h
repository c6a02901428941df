// Counter-based random numbers: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011).
// A number is a function of (seed, stream, position), not of earlier draws: the same at any thread count, when
// recomputed, and after a resume. There is no generator state to save.
#pragma once

#include <array>
#include <cstdint>

namespace roformer {

struct RandomStream {
  uint64_t seed = 0;    // Philox key
  uint64_t stream = 0;  // high half of the Philox counter
};

// The 128 random bits of block `block` of a stream.
std::array<uint32_t, 4> philox4x32(RandomStream stream, uint64_t block);

// An independent stream derived from another, e.g. one per step, then one per dropout of the model.
RandomStream substream(RandomStream parent, uint64_t index);

// Draws from one stream in order.
class Generator {
 public:
  explicit Generator(RandomStream stream) : stream_(stream) {}
  uint32_t next();
  double uniform();                // in [0, 1), 53 bits
  uint64_t below(uint64_t count);  // in [0, count), without bias; count > 0
  double normal();                 // mean 0, standard deviation 1

 private:
  RandomStream stream_;
  uint64_t block_ = 0;
  std::array<uint32_t, 4> words_{};
  int used_ = 4;
};

// Dropout: which elements of row `row` survive. The word of element (row, column) is laid out so that vectors of up to
// 16 lanes read it without shuffles: columns go in groups of 64, one Philox block gives columns c, c+16, c+32, c+48 of
// a group.
struct Dropout {
  double probability = 0;  // in [0, 1)
  RandomStream stream;

  bool active() const { return probability > 0; }
  uint32_t threshold() const {
    return static_cast<uint32_t>(probability * 4294967296.0);
  }  // keep when word >= threshold
  double scale() const { return 1.0 / (1.0 - probability); }
  bool keeps(uint32_t row, uint32_t column) const {
    const uint64_t block = (uint64_t{row} << 32) | (column / 64 * 16 + column % 16);
    return philox4x32(stream, block)[column / 16 % 4] >= threshold();
  }
};

}  // namespace roformer
