// Which instruction sets the kernels may use: what the CPU has, less what ROFORMER_SIMD excludes.
#pragma once

namespace roformer::simd {

// Reads ROFORMER_SIMD once: sse4, avx2, avx2-vnni, avx512 (without bf16 and VNNI), avx512-vnni (without bf16),
// avx512-bf16 (though it be slow), or native. UsageError for other words, and for a set this CPU lacks. Called before
// the first kernel.
void apply_limit();

// AVX512_BF16's dot product, where it is faster than float32's products: on AMD's CPUs twice as fast, on Intel's
// (Sapphire Rapids) half as fast, by `roformer bench --dtype bfloat16 --profile`.
bool has_bfloat16();
bool has_vnni();      // AVX512_VNNI's
bool has_avx_vnni();  // AVX_VNNI's, which some CPUs without AVX-512 have

}  // namespace roformer::simd
