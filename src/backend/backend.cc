#include "backend/backend.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <type_traits>
#include <utility>

#include "backend/layers.h"
#include "base/error.h"

namespace roformer {
namespace {

// The pair of integers that determines a token's angles; tokens with equal keys share a row.
using AngleKey = std::pair<int32_t, int32_t>;

template <class Real>
void fill_angles(ThreadPool& pool, std::span<const AngleKey> keys, const auto& angle_at, const Tensor& cosines,
                 const Tensor& sines) {
  constexpr int64_t kKeysPerTask = 32;
  for_chunks(pool, static_cast<int64_t>(keys.size()), kKeysPerTask, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      for (int64_t pair = 0; pair < cosines.columns(); ++pair) {
        const auto [cos, sin] = angle_at(keys[i], pair);
        cosines.row<Real>(i)[pair] = static_cast<Real>(cos);
        sines.row<Real>(i)[pair] = static_cast<Real>(sin);
      }
    }
  });
}

// angle_at(key, pair) returns cosine and sine.
RotaryAngles make_angles(Backend& backend, const Rotary& rotary, std::span<const AngleKey> token_keys,
                         const auto& angle_at) {
  std::vector<AngleKey> distinct(token_keys.begin(), token_keys.end());
  std::sort(distinct.begin(), distinct.end());
  distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());
  // Validated here, not in tasks, so that the position named in an error does not depend on threads.
  for (const AngleKey& key : distinct) angle_at(key, 0);

  const auto count = static_cast<int64_t>(distinct.size()), pairs = rotary.dim / 2;
  RotaryAngles angles{rotary.layout, rotary.dim, backend.empty({count, pairs}), backend.empty({count, pairs}), {}};
  backend.write(angles.cos, [&](const Tensor& cosines) {
    backend.write(angles.sin, [&](const Tensor& sines) {
      if (backend.real() == DType::float64) {
        fill_angles<double>(backend.pool(), distinct, angle_at, cosines, sines);
      } else {
        fill_angles<float>(backend.pool(), distinct, angle_at, cosines, sines);
      }
    });
  });
  angles.row.reserve(token_keys.size());
  for (const AngleKey& key : token_keys) {
    angles.row.push_back(
        static_cast<int32_t>(std::lower_bound(distinct.begin(), distinct.end(), key) - distinct.begin()));
  }
  return angles;
}

// For each token the length that its sequence is scaled by, and its position.
std::vector<AngleKey> scaled_angle_keys(const Rotary& rotary, std::span<const int32_t> positions,
                                        std::span<const int32_t> offsets) {
  std::vector<AngleKey> keys;
  keys.reserve(positions.size());
  const auto add = [&](std::span<const int32_t> sequence) {
    if (sequence.empty()) return;
    const int64_t longest = int64_t{*std::max_element(sequence.begin(), sequence.end())} + 1;
    const auto length = static_cast<int32_t>(scaling_length(rotary.scaling, longest));
    for (const int32_t position : sequence) keys.emplace_back(length, position);
  };
  if (offsets.empty()) add(positions);
  for (size_t i = 0; i + 1 < offsets.size(); ++i) add(positions.subspan(offsets[i], offsets[i + 1] - offsets[i]));
  return keys;
}

std::map<int64_t, RotaryFrequencies> frequencies_of(const Rotary& rotary, std::span<const AngleKey> keys) {
  std::map<int64_t, RotaryFrequencies> result;
  result.try_emplace(0, rotary);  // validates the settings even without positions
  for (const auto& [length, position] : keys) {
    if (!result.contains(length)) result.try_emplace(length, rotary, length);
  }
  return result;
}

}  // namespace

Precision parse_precision(std::string_view name) {
  if (name == "float32") return Precision::float32;
  if (name == "bfloat16") return Precision::bfloat16;
  if (name == "int8") return Precision::int8;
  if (name == "int4") return Precision::int4;
  throw UsageError("{} is '{}'; expected float32, bfloat16, int8 or int4", FieldName("dtype"), name);
}

const char* precision_name(Precision precision) {
  switch (precision) {
    case Precision::float32: return "float32";
    case Precision::bfloat16: return "bfloat16";
    case Precision::int8: return "int8";
    case Precision::int4: return "int4";
  }
  return "";
}

Loss::Loss(Backend& backend, const LossSum& sums) : backend_(&backend), sums_(backend.empty({2}, DType::float64)) {
  backend.write(sums_, [&](const Tensor& host) {
    host.data<double>()[0] = sums.sum;
    host.data<double>()[1] = static_cast<double>(sums.correct);
  });
}

LossSum Loss::read() const {
  const Tensor host = backend_->to_host(sums_);
  return {host.data<double>()[0], static_cast<int64_t>(host.data<double>()[1])};
}

Tensor Backend::zeros(Shape shape) {
  Tensor x = empty(shape);
  fill(x, 0);
  return x;
}

std::vector<double> Backend::log_sum_exp(const Tensor& x) {
  const Tensor host = to_host(x);
  std::vector<double> sums(static_cast<size_t>(x.rows()));
  const auto sum_of = [&]<class Real>(std::type_identity<Real>, int64_t i) {
    const std::span<const Real> row(host.row<Real>(i), static_cast<size_t>(host.columns()));
    const Real largest = *std::ranges::max_element(row);
    double sum = 0;
    for (const Real value : row) sum += std::exp(static_cast<double>(value - largest));
    return std::log(sum) + static_cast<double>(largest);
  };
  pool().run(x.rows(), [&](int64_t i) {
    sums[static_cast<size_t>(i)] = host.dtype() == DType::float64 ? sum_of(std::type_identity<double>(), i)
                                                                  : sum_of(std::type_identity<float>(), i);
  });
  return sums;
}

std::vector<std::shared_ptr<const PreparedWeight>> Backend::prepare(std::span<Tensor> weights, PassSize) {
  return std::vector<std::shared_ptr<const PreparedWeight>>(weights.size());
}

std::unique_ptr<FusedLayers> Backend::fuse(const LayersConfig&, std::span<const LayerWeights>) { return nullptr; }

RotaryAngles Backend::rotary_angles(const Rotary& rotary, std::span<const int32_t> positions,
                                    std::span<const int32_t> offsets) {
  const std::vector<AngleKey> keys = scaled_angle_keys(rotary, positions, offsets);
  const auto frequencies = frequencies_of(rotary, keys);
  return make_angles(*this, rotary, keys, [&](const AngleKey& key, int64_t pair) {
    return frequencies.at(key.first).angle(key.second, pair);
  });
}

RotaryAngles Backend::rotary_angles_of(const Rotary& rotary, std::span<const double> theta,
                                       std::span<const int32_t> positions) {
  const RotaryFrequencies frequencies(rotary, theta);
  std::vector<AngleKey> keys;
  for (const int32_t position : positions) keys.emplace_back(0, position);
  return make_angles(*this, rotary, keys,
                     [&](const AngleKey& key, int64_t pair) { return frequencies.angle(key.second, pair); });
}

XPosAngles Backend::xpos_angles(const Rotary& rotary, const XPos& xpos, std::span<const int32_t> positions,
                                std::span<const int32_t> offsets) {
  validate(xpos);
  const std::vector<AngleKey> keys = scaled_angle_keys(rotary, positions, offsets);
  const auto frequencies = frequencies_of(rotary, keys);
  const auto angles = [&](bool query) {
    return make_angles(*this, rotary, keys, [&](const AngleKey& key, int64_t pair) {
      auto [cos, sin] = frequencies.at(key.first).angle(key.second, pair);
      const double power = xpos_scale(xpos, rotary.dim, pair, key.second), scale = query ? power : 1 / power;
      return RotaryFrequencies::Angle{cos * scale, sin * scale};
    });
  };
  return {angles(true), angles(false)};
}

RotaryAngles Backend::rerotation_angles(const Rerotation& rerotation, std::span<const int32_t> from,
                                        std::span<const int32_t> to) {
  if (from.size() != to.size()) {
    throw ShapeError("{} positions to rotate from and {} to rotate to", from.size(), to.size());
  }
  std::vector<AngleKey> keys;
  for (size_t i = 0; i < from.size(); ++i) keys.emplace_back(from[i], to[i]);
  return make_angles(*this, rerotation.rotary(), keys,
                     [&](const AngleKey& key, int64_t pair) { return rerotation.angle(key.first, key.second, pair); });
}

}  // namespace roformer
