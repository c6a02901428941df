// Forward pass of linear attention on the CPU. A head's tokens are processed in chunks of 64: within a chunk by its
// triangle of weights (causal), across chunks by the sums over keys. Always float32.
#include "backend/linear_attention.h"

#include "backend/cpu/cpu_backend.h"
#include "backend/cpu/linear_attention/backward.h"
#include "backend/cpu/linear_attention/rows.h"
#include "backend/cpu/linear_attention/tasks.h"

namespace roformer {

namespace {

using tiles::kPanel;

struct ForwardCall : LinearCall {
  const Tensor& out;
  const Tensor& denominators;
  const LinearAttentionState& state;

  ForwardCall(const LinearAttentionSpec& attention, const AttentionTensors& tensors, const Tensor& result,
              const Tensor& divisors, const LinearAttentionState& past)
      : LinearCall(attention, tensors), out(result), denominators(divisors), state(past) {}

  // Zeros, or what the state holds.
  void start(const LinearTask& task, LinearSums& sums) const {
    sums.clear(*this);
    if (state.defined()) sums.load(state, task.sequence, task.head, *this);
  }
  void store(const LinearTask& task, const LinearSums& sums) const {
    if (task.last && state.defined()) sums.store(state, task.sequence, task.head, *this);
  }
};

class ForwardWorker {
 public:
  explicit ForwardWorker(const ForwardCall& call)
      : call_(call),
        keys_(call),
        queries_(call, true),
        sums_(call),
        numerators_(tiles::padded_rows(call.chunk) * call.value_stride),
        panels_(tiles::padded_columns(call.chunk) * call.features),
        weights_(tiles::padded_rows(call.chunk) * kStride) {}

  // The sums over the keys of a split task.
  void sum(const LinearTask& task) {
    task.keys->clear(call_);
    add_keys(task, *task.keys);
  }

  void operator()(const LinearTask& task) {
    if (!call_.spec.causal) return attend_all(task);
    if (task.keys != nullptr) {
      sums_.copy(*task.keys, call_);
    } else {
      call_.start(task, sums_);
    }
    bool empty = task.first && !call_.state.defined();
    for_linear_chunks(task, [&](int64_t token, int64_t rows) {
      keys_.load(task.head, token, rows);
      queries_.load(task.head, token, rows);
      attend_chunk(rows, empty);
      finish(task, token, rows);
      empty = false;
      if (token + rows < task.end || call_.state.defined()) keys_.add_products(sums_, rows);
    });
    call_.store(task, sums_);
  }

 private:
  static constexpr int64_t kStride = kLinearChunk;

  void add_keys(const LinearTask& task, LinearSums& sums) {
    for_linear_chunks(task, [&](int64_t token, int64_t rows) {
      keys_.load(task.head, token, rows);
      keys_.add_to(sums, rows);
    });
  }

  // Bidirectional: the sums over all keys first.
  void attend_all(const LinearTask& task) {
    if (task.keys == nullptr) {
      call_.start(task, sums_);
      add_keys(task, sums_);
    }
    const LinearSums& sums = task.keys != nullptr ? *task.keys : sums_;
    for_linear_chunks(task, [&](int64_t token, int64_t rows) {
      queries_.load(task.head, token, rows);
      multiply_sums(sums, rows);
      tiles::row_dots(queries_.features(), call_.feature_stride, sums.totals.data(), 0, rows, call_.features,
                      divisors_);
      finish(task, token, rows);
    });
    call_.store(task, sums);
  }

  void multiply_sums(const LinearSums& sums, int64_t rows) {
    tiles::multiply(rows, call_.value_dim, call_.features, {queries_.rotated(), call_.feature_stride},
                    {.data = sums.products.data(), .stride = call_.value_stride, .panel_stride = kPanel}, nullptr,
                    numerators_.data(), call_.value_stride);
  }

  // Numerators and denominators from the sums before the chunk and its own keys, which are then added to the totals.
  void attend_chunk(int64_t rows, bool empty) {
    if (!empty) multiply_sums(sums_, rows);
    triangle(rows, call_.features, queries_.rotated(), keys_.side.rotated(), call_.feature_stride, panels_.data(),
             weights_.data(), kStride);
    multiply_triangle({weights_.data(), kStride}, rows, call_.value_dim, keys_.values(), call_.value_stride,
                      empty ? nullptr : call_.ones.data(), numerators_.data(), call_.value_stride);
    rows::running_dots(keys_.side.features(), queries_.features(), call_.feature_stride, rows, call_.features,
                       sums_.totals.data(), divisors_);
  }

  void finish(const LinearTask& task, int64_t token, int64_t rows) {
    float inverse[kLinearChunk];
    for (int64_t r = 0; r < rows; ++r) {
      call_.denominators.row<float>(task.head)[token + r] = divisors_[r];
      inverse[r] = inverse_divisor(divisors_[r]);
    }
    tiles::scale_rows(numerators_.data(), call_.value_stride, rows, call_.value_dim, inverse,
                      call_.out.row<float>(token) + task.head * call_.value_dim, call_.out.row_stride());
  }

  const ForwardCall& call_;
  LinearKeys keys_;
  LinearSide queries_;
  LinearSums sums_;
  Buffer numerators_, panels_, weights_;
  float divisors_[kLinearChunk] = {};
};

// Multiplications and additions: two products of a token's features with the sums, and the random features.
double operations(const LinearAttentionSpec& spec, const AttentionTensors& in) {
  const auto tokens = static_cast<double>(in.q.rows()), columns = static_cast<double>(in.v.columns());
  const auto features = static_cast<double>(spec.features(in.q.columns() / spec.heads));
  const double mapped = spec.map == FeatureMap::favor ? static_cast<double>(in.q.columns()) : 0;
  return 4 * tokens * features * (columns + mapped);
}

}  // namespace

void CpuBackend::linear_attention(const LinearAttentionSpec& spec, const AttentionTensors& in, const Tensor& out,
                                  const Tensor& denominators, const LinearAttentionState& state) {
  const ScopedTimer timed(profile(), "linear attention", operations(spec, in), 0);
  const ForwardCall call(spec, in, out, denominators, state);
  std::vector<LinearTask> tasks = linear_tasks(call);
  make_sums<ForwardWorker>(pool_, call, tasks, false,
                           [&](const LinearTask& task, LinearSums& sums) { call.start(task, sums); });
  run_longest_first<ForwardWorker>(pool_, tasks, call);
}

void CpuBackend::linear_attention_backward(const LinearAttentionSpec& spec, const AttentionTensors& in,
                                           const Tensor& out, const Tensor& denominators,
                                           const LinearAttentionState& state, const Tensor& dout,
                                           const AttentionTensors& gradients) {
  const ScopedTimer timed(profile(), "linear attention, backward", 2.5 * operations(spec, in), 0);
  linear_backward(pool_, spec, in, out, denominators, state, dout, gradients);
}

}  // namespace roformer
