#include "ops/linear_attention.h"

#include "ops/internal.h"
#include "ops/projection_gradients.h"

namespace roformer {

namespace {

constexpr const char* kName = "linear_attention";

void check_angles(const LinearAttentionSpec& spec, const RotaryAngles* angles, int64_t tokens, int64_t rotated_dim) {
  if (angles == nullptr) return;
  if (static_cast<int64_t>(angles->row.size()) != tokens) {
    throw ShapeError("{}: {} angles for {} tokens", kName, angles->row.size(), tokens);
  }
  if (angles->dim > rotated_dim) {
    throw ShapeError("{}: rotates {} elements of {} {}", kName, angles->dim, rotated_dim,
                     spec.rotation == FeatureRotation::after ? "features" : "of a head");
  }
}

void check_state(const LinearAttentionSpec& spec, const LinearAttentionState& state, int64_t features,
                 int64_t value_dim) {
  if (!spec.causal) throw ShapeError("{}: only causal attention has a state", kName);
  const int64_t sequences = spec.sequences();
  const Shape sums{sequences, spec.heads, features, value_dim}, totals{sequences, spec.heads, features};
  if (state.sums.shape() == sums && state.totals.defined() && state.totals.shape() == totals) return;
  throw ShapeError("{}: the state is {} and {}, expected {} and {}", kName, state.sums.shape().to_string(),
                   state.totals.shape().to_string(), sums.to_string(), totals.to_string());
}

void check(const LinearAttentionSpec& spec, const Columns& q, const Columns& k, const Columns& v) {
  if (spec.heads < 1 || q.count % spec.heads != 0 || q.count != k.count || v.count % spec.heads != 0) {
    throw ShapeError("{}: {} heads of q {}, k {}, v {} columns", kName, spec.heads, q.count, k.count, v.count);
  }
  const int64_t tokens = q.value.data.rows(), head_dim = q.count / spec.heads;
  check_rows(kName, "key", k.value.data, tokens);
  check_rows(kName, "value", v.value.data, tokens);
  check_offsets(kName, "sequence", spec.offsets, tokens);
  if (spec.projection.defined() != (spec.map == FeatureMap::favor)) {
    throw ShapeError("{}: a projection is required for random features and only for these", kName);
  }
  if (spec.projection.defined()) check_columns(kName, "projection", spec.projection, head_dim);
  if ((spec.query_angles == nullptr) != (spec.key_angles == nullptr)) {
    throw ShapeError("{}: angles of queries and keys must both be given or neither", kName);
  }
  const int64_t rotated_dim = spec.rotation == FeatureRotation::after ? spec.features(head_dim) : head_dim;
  check_angles(spec, spec.query_angles, tokens, rotated_dim);
  check_angles(spec, spec.key_angles, tokens, rotated_dim);
}

}  // namespace

Value linear_attention(const Context& context, const LinearAttentionOptions& options, Columns q, Columns k, Columns v,
                       const LinearAttentionState& state) {
  Backend& backend = context.backend;
  const LinearAttentionSpec spec = options.spec();
  check(spec, q, k, v);
  const bool tracked = q.value.tracked() || k.value.tracked() || v.value.tracked();
  if (state.defined()) {
    check_state(spec, state, spec.features(q.count / spec.heads), v.count / spec.heads);
    if (context.tape != nullptr && tracked) throw ShapeError("{}: a state has no gradient", kName);
  }
  const int64_t tokens = q.value.data.rows();
  const AttentionTensors in{q.data(), k.data(), v.data()};
  const Tensor out = backend.empty({tokens, v.count}), denominators = backend.empty({spec.heads, tokens});
  const LinearAttentionState sums =
      context.tape != nullptr && tracked ? state_for_backward(backend, spec, in) : LinearAttentionState();
  backend.linear_attention(spec, in, out, denominators, state.defined() ? state : sums);
  Value result = make_result(context, out, tracked);
  if (!result.tracked()) return result;
  const auto projections = std::make_shared<const Projections>(std::move(q), std::move(k), std::move(v));
  context.tape->record([&backend, spec, options, in, projections, result, denominators, sums] {
    if (!result.gradient->defined()) return;
    ProjectionGradients collected(backend, *projections);
    const AttentionTensors gradients = collected.tensors();
    backend.linear_attention_backward(spec, in, result.data, denominators, sums, *result.gradient, gradients);
    collected.accumulate_all();
  });
  return result;
}

LinearAttentionState make_state(Backend& backend, const LinearAttentionSpec& spec, int64_t sequences, int64_t head_dim,
                                int64_t value_dim) {
  const int64_t features = spec.features(head_dim);
  return {backend.zeros({sequences, spec.heads, features, value_dim}),
          backend.zeros({sequences, spec.heads, features})};
}

LinearAttentionState state_for_backward(Backend& backend, const LinearAttentionSpec& spec, const AttentionTensors& in) {
  const int64_t head_dim = in.q.columns() / spec.heads;
  if (spec.causal || spec.sequences() * spec.features(head_dim) > in.v.rows()) return {};
  return make_state(backend, spec, spec.sequences(), head_dim, in.v.columns() / spec.heads);
}

}  // namespace roformer
