// With numerators N_m = Sᵀ R φ(q_m), S the sums over the keys m sees, denominators D_m, g_m = dout_m / D_m and r_m =
// −g_m·out_m: queries get S g_m, and r_m Σ φ(k_n) unrotated; keys get G v_n with G = Σ R φ(q_m) g_mᵀ over the queries
// that see n, and Σ r_m φ(q_m) unrotated; values get Gᵀ R φ(k_n). So, if causal, the tokens are visited twice: forward
// to save the keys' sums before each chunk, [features, head size] elements per chunk for each thread's current head,
// and backward with the queries' sums; within a chunk the triangles of weights are used.
#include "backend/cpu/linear_attention/backward.h"

#include "backend/cpu/linear_attention/rows.h"
#include "backend/cpu/linear_attention/tasks.h"
#include "backend/cpu/rows/rows.h"

namespace roformer {

namespace {

using tiles::kPanel;

struct BackwardCall : LinearCall {
  const Tensor& out;
  const Tensor& denominators;
  const LinearAttentionState& state;
  const Tensor& dout;
  const AttentionTensors& gradients;

  BackwardCall(const LinearAttentionSpec& attention, const AttentionTensors& tensors, const Tensor& result,
               const Tensor& divisors, const LinearAttentionState& sums, const Tensor& dresult,
               const AttentionTensors& where)
      : LinearCall(attention, tensors),
        out(result),
        denominators(divisors),
        state(sums),
        dout(dresult),
        gradients(where) {}
};

// The queries of a chunk with their g and r, and their sums.
class LinearQueries {
 public:
  explicit LinearQueries(const BackwardCall& call)
      : side(call, true), gradients_(tiles::padded_rows(call.chunk) * call.value_stride), call_(call) {}

  void load(int64_t head, int64_t token, int64_t rows) {
    const int64_t column = head * call_.value_dim;
    const float* const dout = call_.dout.row<float>(token) + column;
    const float* const out = call_.out.row<float>(token) + column;
    prefetch(dout, call_.dout.row_stride(), rows);
    prefetch(out, call_.out.row_stride(), rows);
    side.load(head, token, rows);
    tiles::row_dots(dout, call_.dout.row_stride(), out, call_.out.row_stride(), rows, call_.value_dim, weights_);
    float inverse[kLinearChunk];
    for (int64_t r = 0; r < rows; ++r) {
      const float divisor = call_.denominators.row<float>(head)[token + r];
      inverse[r] = inverse_divisor(divisor);
      weights_[r] = divisor < static_cast<float>(kLeastDenominator) ? 0 : -weights_[r] * inverse[r];
    }
    tiles::scale_rows(dout, call_.dout.row_stride(), rows, call_.value_dim, inverse, gradients_.data(),
                      call_.value_stride);
  }
  const float* gradients() const { return gradients_.data(); }  // g [rows, value_stride]
  const float* weights() const { return weights_; }             // r

  void add_products(LinearSums& sums, int64_t rows) const {
    sums.add_products(call_, side.rotated(), gradients(), rows);
  }
  void add_to(LinearSums& sums, int64_t rows) const {
    add_products(sums, rows);
    rows::add_weighted(side.features(), call_.feature_stride, weights_, rows, call_.features, sums.totals.data());
  }

  LinearSide side;

 private:
  // Rows are thousands of bytes apart, beyond the hardware prefetcher.
  void prefetch(const float* x, int64_t stride, int64_t rows) const {
    constexpr int64_t kLine = 16;
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t i = 0; i < call_.value_dim; i += kLine) __builtin_prefetch(x + r * stride + i, 0, 2);
    }
  }

  Buffer gradients_;
  const BackwardCall& call_;
  float weights_[kLinearChunk] = {};
};

class BackwardWorker {
 public:
  explicit BackwardWorker(const BackwardCall& call)
      : call_(call),
        keys_(call),
        queries_(call),
        key_sums_(call),
        query_sums_(call),
        across_(tiles::padded_columns(call.features) * call.value_dim),
        panels_(tiles::padded_columns(call.chunk) * std::max(call.features, call.value_dim)),
        dvalues_(tiles::padded_rows(call.chunk) * call.value_stride),
        weights_(tiles::padded_rows(call.chunk) * kStride),
        dweights_(tiles::padded_rows(call.chunk) * kStride),
        saved_(1) {}

  void sum(const LinearTask& task) {
    task.keys->clear(call_);
    task.queries->clear(call_);
    for_linear_chunks(task, [&](int64_t token, int64_t rows) {
      if (!call_.state.defined()) {
        keys_.load(task.head, token, rows);
        keys_.add_to(*task.keys, rows);
      }
      queries_.load(task.head, token, rows);
      queries_.add_to(*task.queries, rows);
    });
  }

  void operator()(const LinearTask& task) {
    reserve(task);
    start(task);
    if (call_.spec.causal) {
      keep_sums(task);
      for_linear_chunks_reversed(task, [&](int64_t token, int64_t rows) { causal_chunk(task, token, rows); });
      return;
    }
    pack_across(key_sums_, across_.data());
    for_linear_chunks(task, [&](int64_t token, int64_t rows) {
      queries_.load(task.head, token, rows);
      if (!task.split()) queries_.add_to(query_sums_, rows);
      multiply_across(across_.data(), queries_.gradients(), rows, nullptr, queries_.side.drotated());
      rows::spread(key_sums_.totals.data(), queries_.weights(), rows, call_.features, queries_.side.dfeatures(),
                   call_.feature_stride);
      queries_.side.store(call_.gradients.q);
    });
    pack_across(query_sums_, across_.data());
    for_linear_chunks(task, [&](int64_t token, int64_t rows) {
      if (task.split() || call_.state.defined()) {
        keys_.load(task.head, token, rows);
      } else {
        keys_.reload(task.head, token, rows, saved_features(task, token));
      }
      multiply_across(across_.data(), keys_.values(), rows, nullptr, keys_.side.drotated());
      rows::spread(query_sums_.totals.data(), nullptr, rows, call_.features, keys_.side.dfeatures(),
                   call_.feature_stride);
      store_values(task, token, rows, nullptr);
      keys_.side.store(call_.gradients.k);
    });
  }

 private:
  static constexpr int64_t kStride = kLinearChunk;

  // The sums before a task's tokens; if bidirectional, those over all keys, and, unless the sequence is split, the
  // queries' sums.
  void start(const LinearTask& task) {
    query_sums_.clear(call_);
    if (task.split()) query_sums_.copy(*task.queries, call_);
    if (call_.state.defined()) return key_sums_.load(call_.state, task.sequence, task.head, call_);
    if (task.split()) return key_sums_.copy(*task.keys, call_);
    key_sums_.clear(call_);
    if (call_.spec.causal) return;
    for_linear_chunks(task, [&](int64_t token, int64_t rows) {
      keys_.load(task.head, token, rows, saved_features(task, token));
      keys_.add_to(key_sums_, rows);
    });
  }

  // Packs the products of `sums`, transposed, as a right factor.
  void pack_across(const LinearSums& sums, float* panels) const {
    tiles::pack_transposed(sums.products.data(), call_.value_stride, call_.features, call_.value_dim, panels);
  }
  // out [rows, features] = x [rows, value_dim] · panels + factors · out.
  void multiply_across(const float* panels, const float* x, int64_t rows, const float* factors, float* out) const {
    tiles::multiply(rows, call_.features, call_.value_dim, {x, call_.value_stride},
                    {.data = panels, .panel_stride = call_.value_dim * kPanel}, factors, out, call_.feature_stride);
  }
  // out [rows, features] = the triangle of dweights, or its transpose, times x [rows, features].
  void multiply_dweights(bool transposed, const float* x, int64_t rows, float* out) const {
    multiply_triangle({dweights_.data(), kStride, transposed}, rows, call_.features, x, call_.feature_stride, nullptr,
                      out, call_.feature_stride);
  }

  // Memory for each chunk's saved data: if causal, the keys' sums before it, with packed products, and totals; random
  // features of its keys, if they are needed twice.
  void reserve(const LinearTask& task) {
    const int64_t chunks = ceil_div(task.end - task.begin, kLinearChunk);
    if (saved_floats_ >= chunks * saved_size()) return;
    saved_floats_ = chunks * saved_size();
    saved_ = Buffer(saved_floats_);
  }
  int64_t packed_size() const { return tiles::padded_columns(call_.features) * call_.value_dim; }
  int64_t sums_size() const { return call_.spec.causal ? packed_size() + call_.feature_stride : 0; }
  int64_t saved_size() const { return sums_size() + (saves_features() ? keys_.side.saved_size() : 0); }
  bool saves_features() const { return call_.spec.map == FeatureMap::favor && !call_.state.defined(); }
  float* saved_products(const LinearTask& task, int64_t token) const {
    return saved_.data() + (token - task.begin) / kLinearChunk * saved_size();
  }
  float* saved_totals(const LinearTask& task, int64_t token) const {
    return saved_products(task, token) + packed_size();
  }
  float* saved_features(const LinearTask& task, int64_t token) const {
    return saves_features() ? saved_products(task, token) + sums_size() : nullptr;
  }

  void keep_sums(const LinearTask& task) {
    for_linear_chunks(task, [&](int64_t token, int64_t rows) {
      pack_across(key_sums_, saved_products(task, token));
      std::copy_n(key_sums_.totals.data(), call_.features, saved_totals(task, token));
      keys_.load(task.head, token, rows, saved_features(task, token));
      if (token + rows < task.end) keys_.add_to(key_sums_, rows);
    });
  }

  // query_sums_ holds the sums of queries after the chunk; those of keys before it are saved.
  void causal_chunk(const LinearTask& task, int64_t token, int64_t rows) {
    keys_.reload(task.head, token, rows, saved_features(task, token));
    queries_.load(task.head, token, rows);
    triangle(rows, call_.value_dim, queries_.gradients(), keys_.values(), call_.value_stride, panels_.data(),
             dweights_.data(), kStride);
    query_gradients(task, token, rows);
    const bool later = token + rows < task.end || !task.last;
    key_gradients(rows, later);
    value_gradients(task, token, rows);
    if (token > task.begin) queries_.add_products(query_sums_, rows);
  }

  void query_gradients(const LinearTask& task, int64_t token, int64_t rows) {
    LinearSide& side = queries_.side;
    multiply_dweights(false, keys_.side.rotated(), rows, side.drotated());
    if (token > task.begin || !task.first) {
      multiply_across(saved_products(task, token), queries_.gradients(), rows, call_.ones.data(), side.drotated());
    }
    rows::running_sums(keys_.side.features(), call_.feature_stride, queries_.weights(), rows, call_.features,
                       saved_totals(task, token), side.dfeatures());
    side.store(call_.gradients.q);
  }

  void key_gradients(int64_t rows, bool later) {
    LinearSide& side = keys_.side;
    multiply_dweights(true, queries_.side.rotated(), rows, side.drotated());
    if (later) {
      pack_across(query_sums_, across_.data());
      multiply_across(across_.data(), keys_.values(), rows, call_.ones.data(), side.drotated());
    }
    rows::running_sums_reversed(queries_.side.features(), call_.feature_stride, queries_.weights(), rows,
                                call_.features, query_sums_.totals.data(), side.dfeatures());
    side.store(call_.gradients.k);
  }

  void value_gradients(const LinearTask& task, int64_t token, int64_t rows) {
    triangle(rows, call_.features, queries_.side.rotated(), keys_.side.rotated(), call_.feature_stride, panels_.data(),
             weights_.data(), kStride);
    multiply_triangle({weights_.data(), kStride, true}, rows, call_.value_dim, queries_.gradients(), call_.value_stride,
                      nullptr, dvalues_.data(), call_.value_stride);
    store_values(task, token, rows, call_.ones.data());
  }

  // Gradients of values from the queries' sums, plus `factors` times dvalues_.
  void store_values(const LinearTask& task, int64_t token, int64_t rows, const float* factors) {
    tiles::multiply(rows, call_.value_dim, call_.features, {keys_.side.rotated(), call_.feature_stride},
                    {.data = query_sums_.products.data(), .stride = call_.value_stride, .panel_stride = kPanel},
                    factors, dvalues_.data(), call_.value_stride);
    const Tensor& dv = call_.gradients.v;
    tiles::store_rows(dvalues_.data(), call_.value_stride, rows, call_.value_dim, 1,
                      dv.row<float>(token) + task.head * call_.value_dim, dv.row_stride());
  }

  const BackwardCall& call_;
  LinearKeys keys_;
  LinearQueries queries_;
  LinearSums key_sums_, query_sums_;
  Buffer across_, panels_, dvalues_, weights_, dweights_, saved_;
  int64_t saved_floats_ = 1;
};

}  // namespace

void linear_backward(ThreadPool& pool, const LinearAttentionSpec& spec, const AttentionTensors& in, const Tensor& out,
                     const Tensor& denominators, const LinearAttentionState& state, const Tensor& dout,
                     const AttentionTensors& gradients) {
  const BackwardCall call(spec, in, out, denominators, state, dout, gradients);
  std::vector<LinearTask> tasks = linear_tasks(call);
  make_sums<BackwardWorker>(pool, call, tasks, true, [&](const LinearTask&, LinearSums& sums) { sums.clear(call); });
  run_longest_first<BackwardWorker>(pool, tasks, call);
}

}  // namespace roformer
