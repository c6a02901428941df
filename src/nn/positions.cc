#include "nn/positions.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "nn/constant_table.h"
#include "nn/linear_attention.h"

namespace roformer {

namespace {

template <class... Functions>
struct Overloaded : Functions... {
  using Functions::operator()...;
};
template <class... Functions>
Overloaded(Functions...) -> Overloaded<Functions...>;  // clang before 17 deduces no aggregates

// The longest distance between two tokens of one sequence.
int64_t longest_distance(std::span<const int32_t> positions, std::span<const int32_t> offsets) {
  int64_t longest = 0;
  for (size_t s = 0; s + 1 < offsets.size(); ++s) {
    if (offsets[s] == offsets[s + 1]) continue;
    const auto [least, greatest] =
        std::minmax_element(positions.begin() + offsets[s], positions.begin() + offsets[s + 1]);
    longest = std::max<int64_t>(longest, int64_t{*greatest} - *least);
  }
  return longest;
}

// Numbers in a table by distance; where nothing else ends the distances, this does.
constexpr int64_t kMostNumbers = int64_t{1} << 27;

// The clip of an encoding's terms: beyond it all distances are alike.
int64_t clip_of(const PositionsShape& shape, int64_t longest) {
  const PositionEncoding& encoding = shape.encoding;
  const int64_t own = std::visit(Overloaded{[](const ShawPosition& shaw) { return shaw.clip; },
                                            [](const DebertaPosition& deberta) { return deberta.clip; },
                                            [](const T5Position& t5) { return t5.buckets.max_distance; },
                                            [](const TupePosition& tupe) { return tupe.buckets.max_distance; },
                                            [&](const auto&) { return longest; }},
                                 encoding);
  const int64_t clip = std::min(own, longest);
  const bool wide =
      std::holds_alternative<TransformerXlPosition>(encoding) || std::holds_alternative<DebertaPosition>(encoding);
  const int64_t most = kMostNumbers / 2 / (wide ? shape.hidden : std::max(shape.heads, shape.head_dim()));
  if (clip > most) {
    throw DataError("distances of up to {} tokens are too many for the {} encoding; expected at most {}", clip,
                    position_name(encoding), most);
  }
  return clip;
}

std::vector<int32_t> range(int64_t begin, int64_t count) {
  std::vector<int32_t> numbers(static_cast<size_t>(count));
  for (size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<int32_t>(begin + static_cast<int64_t>(i));
  return numbers;
}

Value all_rows(const Context& context, const Parameter& table, std::span<const int32_t> rows) {
  const Lookup lookup{table, rows, "relative position"};
  return embedding(context, {&lookup, 1});
}

// Transformer-XL's R: sines of query position − key position, then cosines (as SinusoidLayout::halves).
Tensor sinusoids_of_distances(Backend& backend, int64_t clip, int64_t dim) {
  const int64_t sines = dim - dim / 2;
  std::vector<double> frequencies;
  for (int64_t c = 0; c < dim; ++c) {
    const int64_t t = c < sines ? c : c - sines;
    frequencies.push_back(std::pow(10000.0, -2.0 * static_cast<double>(t) / static_cast<double>(dim)));
  }
  return constant_table(backend, 2 * clip + 1, dim, [&](int64_t row, int64_t c) {
    const double angle = static_cast<double>(clip - row) * frequencies[static_cast<size_t>(c)];
    return c < sines ? std::sin(angle) : std::cos(angle);
  });
}

// NEZHA counts distances from −clip on, the clip of the model and not of a batch.
Tensor nezha_table(Backend& backend, int64_t model_clip, int64_t clip, int64_t dim) {
  return constant_table(backend, 2 * clip + 1, dim, [&](int64_t row, int64_t column) {
    return sinusoid(row - clip + model_clip, column, dim, SinusoidLayout::interleaved);
  });
}

Tensor alibi_bias(Backend& backend, int64_t clip, int64_t heads) {
  return constant_table(backend, 2 * clip + 1, heads, [&](int64_t row, int64_t head) {
    return -alibi_slope(head, heads) * static_cast<double>(std::abs(row - clip));
  });
}

// KERPLE draws r1 from (0, 2) and r2 from (0, 1), uniformly; here the heads have the quantiles.
Tensor kerple_start(Backend& backend, int64_t heads) {
  return constant_table(backend, 2, heads, [&](int64_t row, int64_t head) {
    const double quantile = (static_cast<double>(head) + 0.5) / static_cast<double>(heads);
    return std::log(row == 0 ? 2 * quantile : quantile);
  });
}

// exp of a learned vector, in double.
std::vector<double> frequencies_of(const Parameter& logs) {
  std::vector<double> frequencies;
  for (int64_t i = 0; i < logs.value.elements(); ++i) {
    frequencies.push_back(std::exp(logs.value.dtype() == DType::float64
                                       ? logs.value.data<double>()[i]
                                       : static_cast<double>(logs.value.data<float>()[i])));
  }
  return frequencies;
}

}  // namespace

bool acts_on_scores(const PositionEncoding& encoding) {
  return std::visit(Overloaded{[](const NoPosition&) { return false; }, [](const SinusoidalPosition&) { return false; },
                               [](const LearnedPosition&) { return false; },
                               [](const RotaryPosition&) { return false; }, [](const auto&) { return true; }},
                    encoding);
}

bool keys_can_move(const PositionEncoding& encoding) {
  return !std::holds_alternative<SinusoidalPosition>(encoding) && !std::holds_alternative<LearnedPosition>(encoding) &&
         !std::holds_alternative<TupePosition>(encoding);
}

int64_t position_parameters(const PositionsShape& shape, int64_t layers) {
  const int64_t hidden = shape.hidden, heads = shape.heads;
  const int64_t norm = shape.norm.kind == NormKind::layer           ? 2 * hidden
                       : shape.norm.kind == NormKind::rms_with_gain ? hidden
                                                                    : 0;
  return std::visit(Overloaded{[&](const ShawPosition& shaw) {
                                 return shaw.sinusoidal ? 0 : layers * 2 * (2 * shaw.clip + 1) * shape.head_dim();
                               },
                               [&](const TransformerXlPosition&) { return 2 * hidden + layers * hidden * hidden; },
                               [&](const T5Position& t5) { return t5.buckets.count * heads; },
                               [&](const TupePosition& tupe) {
                                 return tupe.max_positions * hidden + norm + 2 * hidden * hidden +
                                        tupe.buckets.count * heads;
                               },
                               [&](const DebertaPosition& deberta) { return (2 * deberta.clip + 1) * hidden + norm; },
                               [&](const KerplePosition&) { return layers * 2 * heads; },
                               [&](const RotaryPosition& rotary) { return rotary.learned ? rotary.rotary.dim / 2 : 0; },
                               [](const auto&) { return int64_t{0}; }},
                    shape.encoding);
}

TrunkPositions::TrunkPositions(Backend& backend, const PositionsShape& shape, bool trainable) : shape_(shape) {
  const int64_t hidden = shape.hidden, heads = shape.heads;
  const auto make = [&](Shape of) { return make_parameter(backend, of, trainable); };
  std::visit(Overloaded{[&](const T5Position& t5) {
                          bias_ = make({t5.buckets.count, heads});
                        },
                        [&](const TupePosition& tupe) {
                          bias_ = make({tupe.buckets.count, heads});
                          rows_ = make({tupe.max_positions, hidden});
                          rows_norm_.emplace(backend, hidden, shape.norm, trainable);
                          query_.emplace(backend, hidden, hidden, trainable, false);
                          key_.emplace(backend, hidden, hidden, trainable, false);
                        },
                        [&](const DebertaPosition& deberta) {
                          rows_ = make({2 * deberta.clip + 1, hidden});
                          rows_norm_.emplace(backend, hidden, shape.norm, trainable);
                        },
                        [&](const TransformerXlPosition&) {
                          u_ = make({hidden});
                          v_ = make({hidden});
                        },
                        [&](const RotaryPosition& rotary) {
                          if (!rotary.learned) return;
                          const RotaryFrequencies frequencies(rotary.rotary);
                          log_frequencies_ = make({frequencies.pairs()});
                          const Tensor logs = constant_table(backend, 1, frequencies.pairs(), [&](int64_t, int64_t i) {
                            return std::log(frequencies.theta(i));
                          });
                          backend.copy(logs, log_frequencies_.value.reshaped(logs.shape()));
                        },
                        [](const auto&) {}},
             shape.encoding);
}

std::shared_ptr<SharedPositions> TrunkPositions::forward(const Context& context, std::span<const int32_t> positions,
                                                         std::span<const int32_t> offsets, const KeptKeys* keys) const {
  auto shared = std::make_shared<SharedPositions>();
  if (context.tape != nullptr) context.tape->keep(shared);
  RelativeValues& terms = shared->attention.terms;
  if (acts_on_scores(shape_.encoding)) {
    terms.query_positions = positions;
    terms.key_positions = keys != nullptr ? keys->positions : positions;
    terms.clip = clip_of(shape_, longest_distance(terms.key_positions, keys != nullptr ? keys->offsets : offsets));
  }
  Backend& backend = context.backend;
  std::visit(
      Overloaded{[&](const ShawPosition& shaw) {
                   shared->distance_rows = range(shaw.clip - terms.clip, 2 * terms.clip + 1);
                   if (shaw.sinusoidal) {
                     shared->rows = Value(nezha_table(backend, shaw.clip, terms.clip, shape_.head_dim()));
                   }
                 },
                 [&](const TransformerXlPosition&) {
                   shared->rows = Value(sinusoids_of_distances(backend, terms.clip, shape_.hidden));
                   shared->u = u_;
                   shared->v = v_;
                 },
                 [&](const T5Position& t5) { bias(context, t5.buckets, *shared); },
                 [&](const TupePosition& tupe) {
                   bias(context, tupe.buckets, *shared);
                   separate(context, tupe, positions, *shared);
                 },
                 [&](const DebertaPosition& deberta) {
                   shared->distance_rows = range(deberta.clip - terms.clip, 2 * terms.clip + 1);
                   shared->rows = rows_norm_->forward(context, all_rows(context, rows_, shared->distance_rows));
                 },
                 [&](const AlibiPosition&) { terms.bias = Value(alibi_bias(backend, terms.clip, shape_.heads)); },
                 [&](const RotaryPosition& rotary) { rotate(context, rotary, positions, offsets, *shared); },
                 [](const auto&) {}},
      shape_.encoding);
  return shared;
}

void TrunkPositions::rotate(const Context& context, const RotaryPosition& rotary, std::span<const int32_t> positions,
                            std::span<const int32_t> offsets, SharedPositions& shared) const {
  Backend& backend = context.backend;
  AttentionPositions& attention = shared.attention;
  attention.query_angles = attention.key_angles = &shared.query_angles;
  attention.rotate_values = rotary.rotate_values;
  if (rotary.learned) {
    shared.query_angles = backend.rotary_angles_of(rotary.rotary, frequencies_of(log_frequencies_), positions);
    attention.log_frequencies = log_frequencies_;
    attention.rotary_positions = positions;
  } else if (rotary.xpos) {
    XPosAngles angles = backend.xpos_angles(rotary.rotary, *rotary.xpos, positions, offsets);
    shared.query_angles = std::move(angles.query);
    shared.key_angles = std::move(angles.key);
    attention.key_angles = &shared.key_angles;
  } else {
    shared.query_angles = backend.rotary_angles(rotary.rotary, positions, offsets);
  }
  if (shape_.features == 0) return;
  const Rotary of_features = feature_rotary(rotary.rotary, shape_.head_dim(), shape_.features);
  if (rotary.xpos) {
    XPosAngles angles = backend.xpos_angles(of_features, *rotary.xpos, positions, offsets);
    shared.feature_query_angles = std::move(angles.query);
    shared.feature_key_angles = std::move(angles.key);
  } else {
    shared.feature_query_angles = backend.rotary_angles(of_features, positions, offsets);
  }
}

std::optional<KeyRotation> TrunkPositions::key_rotation(int64_t length) const {
  const auto* rotary = std::get_if<RotaryPosition>(&shape_.encoding);
  if (rotary == nullptr) return std::nullopt;
  if (rotary->learned) {
    return KeyRotation{RotaryFrequencies(rotary->rotary, frequencies_of(log_frequencies_)), std::nullopt};
  }
  return KeyRotation{RotaryFrequencies(rotary->rotary, scaling_length(rotary->rotary.scaling, length)), rotary->xpos};
}

void TrunkPositions::bias(const Context& context, const DistanceBuckets& buckets, SharedPositions& shared) const {
  RelativeValues& terms = shared.attention.terms;
  for (int64_t r = -terms.clip; r <= terms.clip; ++r) {
    shared.buckets.push_back(static_cast<int32_t>(distance_bucket(buckets, r)));
  }
  terms.bias = all_rows(context, bias_, shared.buckets);
}

void TrunkPositions::separate(const Context& context, const TupePosition& tupe, std::span<const int32_t> positions,
                              SharedPositions& shared) const {
  int64_t used = 0;
  for (const int32_t position : positions) used = std::max<int64_t>(used, position + 1);
  if (used > tupe.max_positions) {
    throw DataError(
        "position {} is beyond the model's {} positions (max_position_embeddings): texts of at most {} tokens",
        used - 1, tupe.max_positions, tupe.max_positions);
  }
  shared.position_rows = range(0, used);
  const Value rows = rows_norm_->forward(context, all_rows(context, rows_, shared.position_rows));
  shared.query_part = gather_rows(context, query_->forward(context, rows), positions);
  shared.key_part = gather_rows(context, key_->forward(context, rows), positions);
}

void TrunkPositions::visit(const std::string& name, const ParameterVisitor& visitor) {
  if (rows_.defined()) visitor(name + ".position_rows.weight", rows_, ParameterRole::position_weight);
  if (rows_norm_) {
    rows_norm_->visit(name + ".position_rows.LayerNorm",
                      [&](const std::string& full, Parameter& parameter, ParameterRole) {
                        visitor(full, parameter, ParameterRole::position);
                      });
  }
  if (query_) visitor(name + ".position_query.weight", query_->weight, ParameterRole::position_weight);
  if (key_) visitor(name + ".position_key.weight", key_->weight, ParameterRole::position_weight);
  if (bias_.defined()) visitor(name + ".relative_attention_bias.weight", bias_, ParameterRole::position_weight);
  if (u_.defined()) visitor(name + ".r_w_bias", u_, ParameterRole::position_weight);
  if (v_.defined()) visitor(name + ".r_r_bias", v_, ParameterRole::position_weight);
  if (log_frequencies_.defined()) visitor(name + ".rotary_log_frequencies", log_frequencies_, ParameterRole::position);
}

LayerPositions::LayerPositions(Backend& backend, const PositionsShape& shape, bool trainable) : shape_(shape) {
  std::visit(Overloaded{[&](const ShawPosition& shaw) {
                          if (shaw.sinusoidal) return;
                          keys_ = make_parameter(backend, {2 * shaw.clip + 1, shape.head_dim()}, trainable);
                          values_ = make_parameter(backend, {2 * shaw.clip + 1, shape.head_dim()}, trainable);
                        },
                        [&](const TransformerXlPosition&) {
                          distances_.emplace(backend, shape.hidden, shape.hidden, trainable, false);
                        },
                        [&](const KerplePosition&) {
                          logs_ = make_parameter(backend, {2, shape.heads}, trainable);
                          backend.copy(kerple_start(backend, shape.heads), logs_.value);
                        },
                        [](const auto&) {}},
             shape.encoding);
}

Value LayerPositions::attend(const Context& context, AttentionOptions options, const Value& qkv,
                             const LinearLayer& projection, const SharedPositions& shared) const {
  const int64_t hidden = shape_.hidden, heads = shape_.heads;
  Columns q{qkv, 0, hidden}, k{qkv, hidden, shape_.key_width()};
  const Columns v{qkv, hidden + shape_.key_width(), shape_.key_width()};
  AttentionPositions positions = shared.attention;
  RelativeValues& terms = positions.terms;
  const auto dim = static_cast<double>(shape_.head_dim());
  // Rows by distance through the projection of queries (0) or keys (1).
  const auto projected = [&](int64_t part) {
    const Parameter bias = projection.bias.defined() ? row_range(projection.bias, part * hidden, hidden) : Parameter();
    return linear(context, shared.rows, row_range(projection.weight, part * hidden, hidden), bias);
  };
  std::visit(
      Overloaded{
          [&](const ShawPosition& shaw) {
            terms.query_table = shaw.sinusoidal ? shared.rows : all_rows(context, keys_, shared.distance_rows);
            terms.value_table = shaw.sinusoidal ? shared.rows : all_rows(context, values_, shared.distance_rows);
          },
          [&](const TransformerXlPosition&) {
            // (q + u)·k + (q + v)·r = q′·k + q′·r + (v − u)·r with q′ = q + u.
            terms.query_table = distances_->forward(context, shared.rows);
            terms.bias = head_products(context, terms.query_table, shared.u, shared.v, heads, 1 / std::sqrt(dim));
            add_vector(context, q, shared.u);
          },
          [&](const TupePosition&) {
            q = {concatenate_heads(context, q, shared.query_part, heads), 0, 2 * hidden};
            k = {concatenate_heads(context, k, shared.key_part, heads), 0, 2 * hidden};
          },
          [&](const DebertaPosition&) {
            options.scale = 1 / std::sqrt(3 * dim);
            terms.query_table = projected(1);
            terms.key_table = projected(0);
          },
          [&](const KerplePosition&) { terms.bias = kerple_bias(context, logs_, terms.clip); }, [](const auto&) {}},
      shape_.encoding);
  return attention(context, options, q, k, v, positions);
}

void LayerPositions::visit(const std::string& name, const ParameterVisitor& visitor) {
  if (keys_.defined()) visitor(name + ".relative_keys.weight", keys_, ParameterRole::position_weight);
  if (values_.defined()) visitor(name + ".relative_values.weight", values_, ParameterRole::position_weight);
  if (distances_) visitor(name + ".r_net.weight", distances_->weight, ParameterRole::position_weight);
  if (logs_.defined()) visitor(name + ".log_bias", logs_, ParameterRole::position);
}

}  // namespace roformer
