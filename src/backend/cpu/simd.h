// Which instruction sets the kernels may use: those of the CPU, except what ROFORMER_SIMD excludes.
#pragma once

namespace roformer::simd {

// Reads ROFORMER_SIMD once: sse4, avx2, avx2-vnni, avx512 (without bf16 and VNNI), avx512-vnni (without bf16),
// avx512-bf16 (even where slow; none of these has AMX), or native. UsageError for other names and for sets this CPU
// lacks. Must be called before the first kernel.
void apply_limit();

// AVX512_BF16's dot product, where it is faster than float32 products: on AMD twice as fast, on Intel (Sapphire Rapids)
// half as fast, by `roformer bench --dtype bfloat16 --profile`.
bool has_bfloat16();
bool rounds_to_bfloat16();  // by AVX512_BF16's instructions, which are fast wherever they are
bool has_vnni();            // AVX512_VNNI
bool has_avx_vnni();        // AVX_VNNI, which some CPUs without AVX-512 have
// AMX's tile registers with their bfloat16 and int8 products, which Linux gives a process that asks: on Intel (Sapphire
// Rapids and later) ten to twenty times as fast as other products of these types.
bool has_amx();

}  // namespace roformer::simd
