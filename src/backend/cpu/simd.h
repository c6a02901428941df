// Which instruction sets the kernels may use: what the CPU has, less what ROFORMER_SIMD excludes.
#pragma once

namespace roformer::simd {

// Reads ROFORMER_SIMD once: sse4, avx2, avx2-vnni, avx512 (without bf16 and VNNI), avx512-vnni (without
// bf16), or native. UsageError for other
// words, and for a set this CPU lacks. Called before the first kernel.
void apply_limit();

bool has_bfloat16();  // AVX512_BF16's dot product: the kernels of tile_native.cc, else those of tile_emulated.cc
bool has_vnni();      // AVX512_VNNI's, likewise
bool has_avx_vnni();  // AVX_VNNI's, which some CPUs without AVX-512 have

}  // namespace roformer::simd
