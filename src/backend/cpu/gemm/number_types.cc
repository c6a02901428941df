#include "backend/cpu/gemm/number_types.h"

#include <string>

#include "backend/cpu/simd.h"

namespace roformer {

namespace {

// The name of a type, with the special instructions that multiply it, if any.
std::string with_instructions(Precision precision) {
  switch (precision) {
    case Precision::float32: return "float32";
    case Precision::bfloat16: return simd::has_amx() ? "bfloat16 (AMX)" : "bfloat16 (AVX512_BF16)";
    case Precision::int8:
      return simd::has_amx() ? "int8 (AMX)" : simd::has_vnni() ? "int8 (AVX512_VNNI)" : "int8 (AVX_VNNI)";
    case Precision::int4: break;
  }
  return "";
}

}  // namespace

NumberTypes choose_number_types(Precision precision, const DotProducts& cpu) {
  const Precision attention = cpu.bfloat16 ? Precision::bfloat16 : Precision::float32;
  switch (precision) {
    case Precision::float32: break;
    case Precision::bfloat16: return {precision, attention, attention, attention};
    case Precision::int8: return {precision, cpu.int8 ? precision : Precision::float32, Precision::float32, attention};
    case Precision::int4: return {precision, Precision::float32, Precision::float32, attention};
  }
  return {};
}

DotProducts dot_products() {
  const bool amx = simd::has_amx();
  return {amx || simd::has_bfloat16(), amx || simd::has_vnni() || simd::has_avx_vnni()};
}

std::vector<NumberTypeUse> describe(const NumberTypes& numbers) {
  const std::string weights = std::string("weights ") + precision_name(numbers.weights);
  const std::string widened = weights + " widened to float32, activations float32";
  const std::string plain = numbers.weights == Precision::float32 ? weights + ", activations float32" : widened;
  std::vector<NumberTypeUse> uses;
  if (numbers.weights == Precision::int8 || numbers.weights == Precision::int4) {
    const char* const dots = simd::has_vnni() ? " (AVX512_VNNI)" : "";
    const std::string groups = weights + " in groups of 32, activations int8 in groups" + dots;
    if (numbers.weights == Precision::int8) {
      uses.push_back(
          {"linear", numbers.widened() ? widened : weights + ", activations " + with_instructions(numbers.products)});
    }
    uses.push_back({"decoding", groups});
    uses.push_back({"attention", with_instructions(numbers.attention)});
    return uses;
  }
  uses.push_back({"linear", numbers.widened() || numbers.weights == Precision::float32
                                ? plain
                                : weights + ", activations " + with_instructions(numbers.products)});
  uses.push_back({"decoding", plain});
  uses.push_back({"attention", with_instructions(numbers.attention)});
  uses.push_back({"gradients", with_instructions(numbers.gradients)});
  return uses;
}

}  // namespace roformer
