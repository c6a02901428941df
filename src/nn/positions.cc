#include "nn/positions.h"

#include <algorithm>
#include <cmath>
#include <tuple>
#include <utility>

#include "base/error.h"
#include "base/overloaded.h"
#include "nn/constant_table.h"
#include "nn/linear_attention.h"

namespace roformer {

namespace {

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

// Maximum elements of a table by distance, for encodings without a limit of their own.
constexpr int64_t kMaxElements = int64_t{1} << 27;

// The clip of an encoding's terms: larger distances count as this one.
int64_t clip_of(const PositionsConfig& config, int64_t longest) {
  const PositionEncoding& encoding = config.encoding;
  const int64_t own = std::visit(Overloaded{[](const ShawPosition& shaw) { return shaw.clip; },
                                            [](const DebertaPosition& deberta) { return deberta.clip; },
                                            [](const T5Position& t5) { return t5.buckets.max_distance; },
                                            [](const TupePosition& tupe) { return tupe.buckets.max_distance; },
                                            [&](const auto&) { return longest; }},
                                 encoding);
  const int64_t clip = std::min(own, longest);
  const bool wide =
      std::holds_alternative<TransformerXlPosition>(encoding) || std::holds_alternative<DebertaPosition>(encoding);
  const int64_t max_clip = kMaxElements / 2 / (wide ? config.hidden : std::max(config.heads, config.head_dim()));
  if (clip > max_clip) {
    throw DataError("distances of up to {} tokens are too many for the {} encoding; expected at most {}", clip,
                    position_name(encoding), max_clip);
  }
  return clip;
}

std::vector<int32_t> range(int64_t begin, int64_t count) {
  std::vector<int32_t> indices(static_cast<size_t>(count));
  for (size_t i = 0; i < indices.size(); ++i) indices[i] = static_cast<int32_t>(begin + static_cast<int64_t>(i));
  return indices;
}

Value all_rows(const Context& context, const Parameter& table, const Indices& rows) {
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

// NEZHA counts distances from −clip, the clip of the model, not of a batch.
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

// KERPLE draws r1 from (0, 2) and r2 from (0, 1), uniformly; here the heads get the quantiles.
Initializer kerple_start(int64_t heads) {
  return [heads](int64_t i) {
    const double quantile = (static_cast<double>(i % heads) + 0.5) / static_cast<double>(heads);
    return std::log(i < heads ? 2 * quantile : quantile);
  };
}

// exp of a learned vector, in double.
std::vector<double> frequencies_of(Backend& backend, const Parameter& logs) {
  const Tensor values = backend.to_host(logs.value);
  std::vector<double> frequencies;
  for (int64_t i = 0; i < values.elements(); ++i) {
    frequencies.push_back(std::exp(values.dtype() == DType::float64 ? values.data<double>()[i]
                                                                    : static_cast<double>(values.data<float>()[i])));
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

TrunkPositions::TrunkPositions(const Scope& scope, const PositionsConfig& config) : config_(config) {
  const int64_t hidden = config.hidden, heads = config.heads;
  const auto make = [&](const char* name, const Shape& of) {
    return (scope / name).tensor(of, ParameterRole::position_weight);
  };
  const Scope layers = scope.positions();
  std::visit(Overloaded{[&](const T5Position& t5) {
                          bias_ = make("bias.weight", {t5.buckets.count, heads});
                        },
                        [&](const TupePosition& tupe) {
                          rows_ = make("rows.weight", {tupe.max_positions, hidden});
                          rows_norm_.emplace(layers / "rows_norm", hidden, config.norm);
                          query_.emplace(layers / "query", hidden, hidden, false);
                          key_.emplace(layers / "key", hidden, hidden, false);
                          bias_ = make("bias.weight", {tupe.buckets.count, heads});
                        },
                        [&](const DebertaPosition& deberta) {
                          rows_ = make("rows.weight", {2 * deberta.clip + 1, hidden});
                          rows_norm_.emplace(layers / "rows_norm", hidden, config.norm);
                        },
                        [&](const TransformerXlPosition&) {
                          u_ = make("u", {hidden});
                          v_ = make("v", {hidden});
                        },
                        [&](const RotaryPosition& rotary) {
                          if (!rotary.learned) return;
                          const RotaryFrequencies frequencies(rotary.rotary);
                          log_frequencies_ = (scope / "log_frequencies")
                                                 .tensor({frequencies.pairs()}, ParameterRole::position,
                                                         [&](int64_t i) { return std::log(frequencies.theta(i)); });
                        },
                        [](const auto&) {}},
             config.encoding);
}

std::vector<std::shared_ptr<const SharedPositions>> TrunkPositions::forward(const Context& context,
                                                                            const Indices& positions,
                                                                            const Indices& offsets,
                                                                            const CachedKeys* keys) const {
  std::vector<std::shared_ptr<const SharedPositions>> layers;
  if (config_.rotary.empty()) {
    layers.push_back(std::make_shared<const SharedPositions>(shared(context, positions, offsets, keys)));
    return layers;
  }
  for (size_t i = 0; i < config_.rotary.size(); ++i) {
    const auto same =
        std::find(config_.rotary.begin(), config_.rotary.begin() + static_cast<int64_t>(i), config_.rotary[i]);
    const auto earlier = static_cast<size_t>(same - config_.rotary.begin());
    if (earlier < i) {
      layers.push_back(layers[earlier]);
      continue;
    }
    RotaryPosition position = std::get<RotaryPosition>(config_.encoding);
    position.rotary = config_.rotary[i];
    SharedPositions of_layer;
    rotate(context, position, positions, offsets, of_layer);
    layers.push_back(std::make_shared<const SharedPositions>(std::move(of_layer)));
  }
  return layers;
}

SharedPositions TrunkPositions::shared(const Context& context, const Indices& positions, const Indices& offsets,
                                       const CachedKeys* keys) const {
  SharedPositions shared;
  RelativeValues& terms = shared.attention.terms;
  if (acts_on_scores(config_.encoding)) {
    terms.query_positions = positions;
    terms.key_positions = keys != nullptr ? keys->positions : positions;
    terms.clip = clip_of(config_, longest_distance(terms.key_positions, keys != nullptr ? keys->offsets : offsets));
  }
  Backend& backend = context.backend;
  std::visit(
      Overloaded{[&](const ShawPosition& shaw) {
                   shared.distance_rows = range(shaw.clip - terms.clip, 2 * terms.clip + 1);
                   if (shaw.sinusoidal) {
                     shared.rows = Value(nezha_table(backend, shaw.clip, terms.clip, config_.head_dim()));
                   }
                 },
                 [&](const TransformerXlPosition&) {
                   shared.rows = Value(sinusoids_of_distances(backend, terms.clip, config_.hidden));
                   shared.u = u_;
                   shared.v = v_;
                 },
                 [&](const T5Position& t5) { bias(context, t5.buckets, shared); },
                 [&](const TupePosition& tupe) {
                   bias(context, tupe.buckets, shared);
                   separate(context, tupe, positions, shared);
                 },
                 [&](const DebertaPosition& deberta) {
                   shared.distance_rows = range(deberta.clip - terms.clip, 2 * terms.clip + 1);
                   shared.rows = rows_norm_->forward(context, all_rows(context, rows_, shared.distance_rows));
                 },
                 [&](const AlibiPosition&) { terms.bias = Value(alibi_bias(backend, terms.clip, config_.heads)); },
                 [&](const RotaryPosition& rotary) { rotate(context, rotary, positions, offsets, shared); },
                 [](const auto&) {}},
      config_.encoding);
  return shared;
}

void TrunkPositions::rotate(const Context& context, const RotaryPosition& rotary, const Indices& positions,
                            const Indices& offsets, SharedPositions& shared) const {
  Backend& backend = context.backend;
  AttentionPositions& attention = shared.attention;
  using Angles = std::shared_ptr<const RotaryAngles>;
  const auto owned = [](RotaryAngles&& angles) { return std::make_shared<const RotaryAngles>(std::move(angles)); };
  // Queries and keys share angles except with xPos.
  const auto angles_of = [&](const Rotary& of) {
    if (!rotary.xpos) {
      const Angles both = owned(backend.rotary_angles(of, positions, offsets));
      return std::pair(both, both);
    }
    XPosAngles angles = backend.xpos_angles(of, *rotary.xpos, positions, offsets);
    return std::pair<Angles, Angles>(owned(std::move(angles.query)), owned(std::move(angles.key)));
  };
  attention.rotate_values = rotary.rotate_values;
  if (rotary.learned) {
    attention.query_angles = attention.key_angles =
        owned(backend.rotary_angles_of(rotary.rotary, frequencies_of(backend, log_frequencies_), positions));
    attention.log_frequencies = log_frequencies_;
    attention.rotary_positions = positions;
  } else {
    std::tie(attention.query_angles, attention.key_angles) = angles_of(rotary.rotary);
  }
  if (config_.features == 0) return;
  std::tie(shared.feature_query_angles, shared.feature_key_angles) =
      angles_of(feature_rotary(rotary.rotary, config_.head_dim(), config_.features));
}

std::vector<KeyRotation> TrunkPositions::key_rotations(Backend& backend, int64_t length) const {
  const auto* position = std::get_if<RotaryPosition>(&config_.encoding);
  std::vector<KeyRotation> rotations;
  if (position == nullptr) return rotations;
  if (position->learned) {
    rotations.push_back({RotaryFrequencies(position->rotary, frequencies_of(backend, log_frequencies_)), std::nullopt});
    return rotations;
  }
  for (const Rotary& rotary : config_.rotary.empty() ? std::vector{position->rotary} : config_.rotary) {
    rotations.push_back({RotaryFrequencies(rotary, scaling_length(rotary.scaling, length)), position->xpos});
  }
  return rotations;
}

void TrunkPositions::bias(const Context& context, const DistanceBuckets& buckets, SharedPositions& shared) const {
  RelativeValues& terms = shared.attention.terms;
  std::vector<int32_t> rows;
  for (int64_t r = -terms.clip; r <= terms.clip; ++r) {
    rows.push_back(static_cast<int32_t>(distance_bucket(buckets, r)));
  }
  terms.bias = all_rows(context, bias_, std::move(rows));
}

void TrunkPositions::separate(const Context& context, const TupePosition& tupe, const Indices& positions,
                              SharedPositions& shared) const {
  int64_t used = 0;
  for (const int32_t position : positions.span()) used = std::max<int64_t>(used, position + 1);
  if (used > tupe.max_positions) {
    throw DataError("position {} is beyond the model's {} positions ({}): texts of at most {} tokens", used - 1,
                    tupe.max_positions, KeyName("max_position_embeddings"), tupe.max_positions);
  }
  const Value rows = rows_norm_->forward(context, all_rows(context, rows_, range(0, used)));
  shared.query_part = gather_rows(context, query_->forward(context, rows), positions);
  shared.key_part = gather_rows(context, key_->forward(context, rows), positions);
}

LayerPositions::LayerPositions(const Scope& scope, const PositionsConfig& config) : config_(config) {
  std::visit(
      Overloaded{
          [&](const ShawPosition& shaw) {
            if (shaw.sinusoidal) return;
            const Shape table{2 * shaw.clip + 1, config.head_dim()};
            keys_ = (scope / "keys.weight").tensor(table, ParameterRole::position_weight);
            values_ = (scope / "values.weight").tensor(table, ParameterRole::position_weight);
          },
          [&](const TransformerXlPosition&) {
            distances_.emplace(scope.positions() / "distances", config.hidden, config.hidden, false);
          },
          [&](const KerplePosition&) {
            logs_ = (scope / "log_bias").tensor({2, config.heads}, ParameterRole::position, kerple_start(config.heads));
          },
          [](const auto&) {}},
      config.encoding);
}

Value LayerPositions::attend(const Context& context, AttentionOptions options, std::array<Columns, 3>&& qkv,
                             const LinearLayer& projection, const SharedPositions& shared) const {
  const int64_t hidden = config_.hidden, heads = config_.heads;
  Columns &q = qkv[0], &k = qkv[1], &v = qkv[2];
  AttentionPositions positions = shared.attention;
  RelativeValues& terms = positions.terms;
  const auto dim = static_cast<double>(config_.head_dim());
  // Rows by distance, projected like queries (0) or keys (1).
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
            q = add_vector(context, std::move(q), shared.u);
          },
          [&](const TupePosition&) {
            q = Columns(concatenate_heads(context, q, shared.query_part, heads));
            k = Columns(concatenate_heads(context, k, shared.key_part, heads));
          },
          [&](const DebertaPosition&) {
            options.scale = 1 / std::sqrt(3 * dim);
            terms.query_table = projected(1);
            terms.key_table = projected(0);
          },
          [&](const KerplePosition&) { terms.bias = kerple_bias(context, logs_, terms.clip); }, [](const auto&) {}},
      config_.encoding);
  return attention(context, options, std::move(q), std::move(k), std::move(v), positions);
}

}  // namespace roformer
