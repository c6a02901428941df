#include "position/scaling.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <string_view>

#include "base/error.h"

namespace roformer {
namespace {

using std::numbers::pi;

constexpr int64_t kMaxPositions = int64_t{1} << 29;

// Bounds that prevent frequencies above kMaxRotaryFrequency and overflows.
void check_factor(std::string_view kind, std::string_view field, double value) {
  constexpr double kMin = 0.02, kMax = 1e6;
  if (!(value >= kMin && value <= kMax)) {
    throw UsageError("{} of the {} rotary scaling is {}; expected {} to {}", FieldName(field), kind, value, kMin, kMax);
  }
}

void check_original(std::string_view kind, int64_t positions, int64_t least) {
  if (positions < least || positions > kMaxPositions) {
    throw UsageError("{} of the {} rotary scaling is {}; expected {} to {}", FieldName("original_positions"), kind,
                     positions, least, kMaxPositions);
  }
}

// The base grows by a power with exponent dim / (dim − 2).
void check_ntk_dim(std::string_view kind, int64_t dim) {
  if (dim < 4)
    throw UsageError("{} is {}; expected a rotary dimension of 4 or more for the {} rotary scaling", FieldName("dim"),
                     dim, kind);
}

void check_list(std::string_view field, const std::vector<double>& factors, int64_t pairs) {
  if (std::ssize(factors) != pairs) {
    throw UsageError("{} of the longrope rotary scaling has {} elements; expected {}, one per pair", FieldName(field),
                     factors.size(), pairs);
  }
  for (const double factor : factors) check_factor("longrope", field, factor);
}

struct Validate {
  int64_t dim;
  void operator()(std::monostate) const {}
  void operator()(const LinearScaling& linear) const { check_factor("linear", "factor", linear.factor); }
  void operator()(const NtkScaling& ntk) const {
    check_factor("ntk", "factor", ntk.factor);
    check_ntk_dim("ntk", dim);
    if (ntk.factor < 1)
      throw UsageError("{} of the ntk rotary scaling is {}; expected 1 or more", FieldName("factor"), ntk.factor);
  }
  void operator()(const DynamicNtkScaling& dynamic) const {
    check_factor("dynamic", "factor", dynamic.factor);
    check_original("dynamic", dynamic.original_positions, 1);
    check_ntk_dim("dynamic", dim);
  }
  void operator()(const YarnScaling& yarn) const {
    check_factor("yarn", "factor", yarn.factor);
    check_original("yarn", yarn.original_positions, 1);
    check_factor("yarn", "beta_fast", yarn.beta_fast);
    check_factor("yarn", "beta_slow", yarn.beta_slow);
    if (yarn.beta_fast < yarn.beta_slow) {
      throw UsageError("{} of the yarn rotary scaling is {}; expected at least {}, {}", FieldName("beta_fast"),
                       yarn.beta_fast, FieldName("beta_slow"), yarn.beta_slow);
    }
    check_factor("yarn", "attention_factor", yarn.attention_factor.value_or(1));
    check_factor("yarn", "mscale", yarn.mscale.value_or(1));
    check_factor("yarn", "mscale_all_dim", yarn.mscale_all_dim.value_or(1));
  }
  void operator()(const LongRopeScaling& longrope) const {
    check_list("short_factors", longrope.short_factors, dim / 2);
    check_list("long_factors", longrope.long_factors, dim / 2);
    check_original("longrope", longrope.original_positions, 2);  // divisor: its logarithm
    check_factor("longrope", "factor", longrope.factor);
    check_factor("longrope", "attention_factor", longrope.attention_factor.value_or(1));
  }
  void operator()(const Llama3Scaling& llama3) const {
    check_factor("llama3", "factor", llama3.factor);
    check_factor("llama3", "low_freq_factor", llama3.low_freq_factor);
    check_factor("llama3", "high_freq_factor", llama3.high_freq_factor);
    if (llama3.high_freq_factor <= llama3.low_freq_factor) {
      throw UsageError("{} of the llama3 rotary scaling is {}; expected above {}, {}", FieldName("high_freq_factor"),
                       llama3.high_freq_factor, FieldName("low_freq_factor"), llama3.low_freq_factor);
    }
    check_original("llama3", llama3.original_positions, 1);
  }
};

double theta(double base, int64_t pair, int64_t dim) {
  return std::pow(base, -2 * static_cast<double>(pair) / static_cast<double>(dim));
}

double ntk_base(double base, double growth, int64_t dim) {
  return base * std::pow(growth, static_cast<double>(dim) / static_cast<double>(dim - 2));
}

double yarn_attention(const YarnScaling& yarn) {
  if (yarn.attention_factor) return *yarn.attention_factor;
  const auto grown = [&](double mscale) { return yarn.factor <= 1 ? 1 : 0.1 * mscale * std::log(yarn.factor) + 1; };
  return yarn.mscale && yarn.mscale_all_dim ? grown(*yarn.mscale) / grown(*yarn.mscale_all_dim) : grown(1);
}

struct Scale {
  int64_t dim;
  double base;
  int64_t length;

  std::vector<double> divisors(const auto& of_pair) const {
    std::vector<double> result(dim / 2);
    for (int64_t i = 0; i < dim / 2; ++i) result[i] = of_pair(i);
    return result;
  }

  ScaledFrequencies operator()(std::monostate) const { return {base, {}}; }
  ScaledFrequencies operator()(const LinearScaling& linear) const {
    return {base, divisors([&](int64_t) { return linear.factor; })};
  }
  ScaledFrequencies operator()(const NtkScaling& ntk) const { return {ntk_base(base, ntk.factor, dim), {}}; }
  ScaledFrequencies operator()(const DynamicNtkScaling& dynamic) const {
    const auto original = static_cast<double>(dynamic.original_positions);
    const double longer = static_cast<double>(std::max(length, dynamic.original_positions)) / original;
    return {ntk_base(base, dynamic.factor * longer - (dynamic.factor - 1), dim), {}};
  }
  // The pair that makes `rotations` full rotations within the training length.
  double pair_of_rotations(double rotations, int64_t original) const {
    return static_cast<double>(dim) * std::log(static_cast<double>(original) / (rotations * 2 * pi)) /
           (2 * std::log(base));
  }
  ScaledFrequencies operator()(const YarnScaling& yarn) const {
    double low = pair_of_rotations(yarn.beta_fast, yarn.original_positions);
    double high = pair_of_rotations(yarn.beta_slow, yarn.original_positions);
    if (yarn.truncate) low = std::floor(low), high = std::ceil(high);
    low = std::max(low, 0.0);
    high = std::min(high, static_cast<double>(dim - 1));
    if (low == high) high += 0.001;  // as in transformers
    const auto of_pair = [&](int64_t i) {
      const double slow = std::clamp((static_cast<double>(i) - low) / (high - low), 0.0, 1.0);
      return 1 / (slow / yarn.factor + (1 - slow));
    };
    return {base, divisors(of_pair), yarn_attention(yarn)};
  }
  ScaledFrequencies operator()(const LongRopeScaling& longrope) const {
    const auto original = static_cast<double>(longrope.original_positions);
    const double own = longrope.factor <= 1 ? 1 : std::sqrt(1 + std::log(longrope.factor) / std::log(original));
    return {base, length > longrope.original_positions ? longrope.long_factors : longrope.short_factors,
            longrope.attention_factor.value_or(own)};
  }
  ScaledFrequencies operator()(const Llama3Scaling& llama3) const {
    const auto of_pair = [&](int64_t i) {
      const double rotations = static_cast<double>(llama3.original_positions) * theta(base, i, dim) / (2 * pi);
      if (rotations < llama3.low_freq_factor) return llama3.factor;
      if (rotations > llama3.high_freq_factor) return 1.0;
      const double unscaled = (rotations - llama3.low_freq_factor) / (llama3.high_freq_factor - llama3.low_freq_factor);
      return 1 / ((1 - unscaled) / llama3.factor + unscaled);
    };
    return {base, divisors(of_pair)};
  }
};

struct ScaledPositions {
  int64_t max_positions;

  int64_t longer(int64_t trained, double factor) const {
    const double scaled = std::min(static_cast<double>(trained) * factor, static_cast<double>(kMaxPositions));
    return std::max(max_positions, static_cast<int64_t>(scaled));
  }
  int64_t operator()(std::monostate) const { return max_positions; }
  int64_t operator()(const LinearScaling& linear) const { return longer(max_positions, linear.factor); }
  int64_t operator()(const NtkScaling& ntk) const { return longer(max_positions, ntk.factor); }
  int64_t operator()(const Llama3Scaling&) const { return max_positions; }
  int64_t operator()(const auto& with_original) const {
    return longer(with_original.original_positions, with_original.factor);
  }
};

}  // namespace

void validate(const RotaryScaling& scaling, int64_t dim) { std::visit(Validate{dim}, scaling); }

ScaledFrequencies scale_frequencies(const RotaryScaling& scaling, int64_t dim, double base, int64_t length) {
  return std::visit(Scale{dim, base, length}, scaling);
}

int64_t scaled_positions(const RotaryScaling& scaling, int64_t max_positions) {
  return std::visit(ScaledPositions{max_positions}, scaling);
}

int64_t scaling_length(const RotaryScaling& scaling, int64_t length) {
  if (const auto* dynamic = std::get_if<DynamicNtkScaling>(&scaling)) {
    return length <= dynamic->original_positions ? 0 : length;
  }
  if (const auto* longrope = std::get_if<LongRopeScaling>(&scaling)) {
    return length <= longrope->original_positions ? 0 : longrope->original_positions + 1;
  }
  return 0;
}

}  // namespace roformer
