#include <numbers>

#include "backend/cpu/attention.h"
#include "backend/cpu/attention_tasks.h"
#include "backend/cpu/attention_tile.h"

namespace roformer {

namespace {

// Queries and keys of a tile: fixed, so that results depend on shapes only; kKeys is a multiple of 64.
constexpr int64_t kQueries = 48, kKeys = 256;
constexpr float kLog2E = std::numbers::log2e_v<float>, kLn2 = std::numbers::ln2_v<float>;

struct Call {
  const AttentionSpec& spec;
  const AttentionTensors& in;
  const Tensor& log_sum_exp;
  const Tensor& dout;
  const AttentionTensors& gradients;
  const Tensor& deltas;  // [heads, queries] dout·out, which is Σ_j p_ij dp_ij, also under dropout (Dao et al., app. B)
  int64_t dim = in.q.columns() / spec.heads, value_dim = in.v.columns() / spec.heads;
  int64_t keys = tiles::padded_columns(std::min(kKeys, longest(spec.key_offsets)));  // of a tile, whole panels
};

// Some keys of one head of one sequence: their gradients, and the part of the queries' gradients that comes from them.
// The first keys' part is written into the gradient itself, the others' wait in `part` until all are there.
struct Task {
  int64_t sequence, head, key_begin, key_end;
  Tensor part;   // [queries, dim]
  int64_t cost;  // multiplications
};

class BackwardWorker {
 public:
  explicit BackwardWorker(const Call& call)
      : call_(call),
        q_stride_(tiles::padded_columns(call.dim)),
        v_stride_(tiles::padded_columns(call.value_dim)),
        queries_(kQueries * q_stride_),
        douts_(kQueries * v_stride_),
        products_(kQueries * q_stride_),
        keys_across_(call.keys * call.dim),
        values_across_(call.keys * call.value_dim),
        keys_(call.keys * q_stride_),
        dkeys_(call.keys * q_stride_),
        dvalues_(call.keys * v_stride_),
        weights_(kQueries * call.keys),
        dropped_(call.spec.dropout.active() ? kQueries * call.keys : 0),
        dweights_(kQueries * call.keys) {}

  void operator()(const Task& task) {
    const Place place(call_.spec, task.sequence, task.head);
    for (int64_t i = 0; i < place.queries(); ++i) std::fill_n(query_gradient(task, place, i), call_.dim, 0.0f);
    for (int64_t k0 = task.key_begin; k0 < task.key_end; k0 += kKeys) {
      block(task, place, k0, std::min(kKeys, task.key_end - k0));
    }
  }

 private:
  static const float* head_of(const Tensor& x, int64_t token, int64_t head, int64_t dim) {
    return x.row<float>(token) + head * dim;
  }

  float* query_gradient(const Task& task, const Place& place, int64_t i) const {
    if (task.part.defined()) return task.part.row<float>(i);
    return call_.gradients.q.row<float>(place.q_begin + i) + place.head * call_.dim;
  }
  int64_t query_gradient_stride(const Task& task) const {
    return task.part.defined() ? task.part.row_stride() : call_.gradients.q.row_stride();
  }

  // All queries against these keys.
  void block(const Task& task, const Place& place, int64_t k0, int64_t keys) {
    const Tensor &k = call_.in.k, &v = call_.in.v;
    const float* const key_rows = head_of(k, k0, place.head, call_.dim);
    const float* const value_rows = head_of(v, k0, place.head, call_.value_dim);
    tiles::pack_transposed(key_rows, k.row_stride(), keys, call_.dim, keys_across_.data());
    tiles::pack_transposed(value_rows, v.row_stride(), keys, call_.value_dim, values_across_.data());
    tiles::pack(key_rows, k.row_stride(), keys, call_.dim, keys_.data());
    std::fill_n(dkeys_.data(), keys * q_stride_, 0.0f);
    std::fill_n(dvalues_.data(), keys * v_stride_, 0.0f);
    for (int64_t q0 = place.q_begin; q0 < place.q_end; q0 += kQueries) {
      const int64_t queries = std::min(kQueries, place.q_end - q0);
      const int64_t visible = visible_keys(call_.spec, place, q0, queries, k0, keys, seen_);
      if (visible == 0) continue;
      // Whole steps of rows, so that what a product writes beside its rows is no other key's gradient.
      tile(place, q0, queries, k0, keys, std::min(keys, tiles::padded_rows(visible)));
      tiles::add_rows(products_.data(), q_stride_, queries, call_.dim, static_cast<float>(call_.spec.scale),
                      query_gradient(task, place, q0 - place.q_begin), query_gradient_stride(task));
    }
    const Tensor &dk = call_.gradients.k, &dv = call_.gradients.v;
    std::fill_n(factors_, keys, kLn2);  // the queries had been scaled for powers of two
    tiles::store_rows(dkeys_.data(), q_stride_, keys, call_.dim, factors_, dk.row<float>(k0) + place.head * call_.dim,
                      dk.row_stride());
    std::fill_n(factors_, keys, 1.0f);
    tiles::store_rows(dvalues_.data(), v_stride_, keys, call_.value_dim, factors_,
                      dv.row<float>(k0) + place.head * call_.value_dim, dv.row_stride());
  }

  // Adds to the keys' and values' gradients; the queries' over `scale` are in products_ then. Of the block's `packed`
  // keys the first `keys` are seen.
  void tile(const Place& place, int64_t q0, int64_t queries, int64_t k0, int64_t packed, int64_t keys) {
    const int64_t stride = call_.keys;
    tiles::load_rows({head_of(call_.in.q, q0, place.head, call_.dim), call_.in.q.row_stride(), call_.dim, nullptr, q0},
                     queries, static_cast<float>(call_.spec.scale) * kLog2E, queries_.data(), q_stride_);
    tiles::load_rows(
        {head_of(call_.dout, q0, place.head, call_.value_dim), call_.dout.row_stride(), call_.value_dim, nullptr, q0},
        queries, 1, douts_.data(), v_stride_);
    tiles::multiply(queries, keys, call_.dim, {queries_.data(), q_stride_},
                    {.data = keys_across_.data(), .panel_stride = call_.dim * tiles::kPanel}, nullptr, weights_.data(),
                    stride);
    for (int64_t i = 0; i < queries; ++i) factors_[i] = call_.log_sum_exp.row<float>(place.head)[q0 + i] * kLog2E;
    tiles::weights_again({weights_.data(), stride, tiles::kPanel}, queries, keys, seen_, factors_);
    tiles::multiply(queries, keys, call_.value_dim, {douts_.data(), v_stride_},
                    {.data = values_across_.data(), .panel_stride = call_.value_dim * tiles::kPanel}, nullptr,
                    dweights_.data(), stride);
    const float* const value_weights = drop(place, q0, queries, k0, keys);
    std::fill_n(factors_, keys + 3, 1.0f);
    tiles::multiply(keys, call_.value_dim, queries, {value_weights, stride, true},
                    {douts_.data(), v_stride_, tiles::kPanel}, factors_, dvalues_.data(), v_stride_);
    tiles::softmax_backward(weights_.data(), dweights_.data(), stride, queries, keys,
                            call_.deltas.row<float>(place.head) + q0);
    tiles::multiply(keys, call_.dim, queries, {dweights_.data(), stride, true},
                    {queries_.data(), q_stride_, tiles::kPanel}, factors_, dkeys_.data(), q_stride_);
    tiles::multiply(queries, call_.dim, keys, {dweights_.data(), stride},
                    {.data = keys_.data(), .panel_stride = packed * tiles::kPanel}, nullptr, products_.data(),
                    q_stride_);
  }

  // The weights that met the values, and the gradients of those before dropout.
  const float* drop(const Place& place, int64_t q0, int64_t queries, int64_t k0, int64_t keys) {
    if (!call_.spec.dropout.active()) return weights_.data();
    for (int64_t i = 0; i < queries; ++i) {
      float* const dweights = dweights_.data() + i * call_.keys;
      draw_factors(call_.spec, place, q0 + i, k0, keys, factors_);
      rows::multiply(dweights, factors_, dweights, keys);
      rows::multiply(weights_.data() + i * call_.keys, factors_, dropped_.data() + i * call_.keys, keys);
    }
    return dropped_.data();
  }

  const Call& call_;
  int64_t q_stride_, v_stride_;
  Room queries_, douts_, products_;          // rows of queries
  Room keys_across_, values_across_, keys_;  // panels
  Room dkeys_, dvalues_;                     // rows of keys
  Room weights_, dropped_, dweights_;        // tiles
  int32_t seen_[kQueries] = {};
  float factors_[kKeys + tiles::kPanel] = {};
};

// Few heads of long sequences are split by keys, so that many threads have work.
std::vector<Task> make_tasks(const AttentionSpec& spec, int64_t dim, int64_t value_dim) {
  constexpr int64_t kEnough = 16, kFewest = 1024;  // heads, keys of a task
  const auto sequences = static_cast<int64_t>(spec.query_offsets.size()) - 1;
  const int64_t wanted = kEnough / std::max<int64_t>(1, sequences * spec.heads);
  std::vector<Task> tasks;
  for (int64_t s = 0; s < sequences; ++s) {
    const Place place(spec, s, 0);
    const int64_t pieces = std::clamp<int64_t>(place.keys() / kFewest, 1, std::max<int64_t>(1, wanted));
    const int64_t size = (place.keys() / pieces + kKeys - 1) / kKeys * kKeys;
    for (int64_t head = 0; head < spec.heads; ++head) {
      int64_t begin = place.k_begin;
      do {
        const int64_t end = std::min(begin + size, place.k_end);
        const bool first = begin == place.k_begin;
        tasks.push_back({s, head, begin, end,
                         first ? Tensor() : Tensor::allocate({place.queries(), dim}, DType::float32),
                         place.queries() * (end - begin) * (3 * dim + 2 * value_dim)});
        begin = end;
      } while (begin < place.k_end);
    }
  }
  return tasks;
}

Tensor row_deltas(ThreadPool& pool, const AttentionSpec& spec, const Tensor& out, const Tensor& dout) {
  constexpr int64_t kRows = 64;
  const int64_t queries = out.rows(), dim = out.columns() / spec.heads;
  const Tensor deltas = Tensor::allocate({spec.heads, queries}, DType::float32);
  for_chunks(pool, queries, kRows, [&](int64_t begin, int64_t end) {
    for (int64_t head = 0; head < spec.heads; ++head) {
      tiles::row_dots(dout.row<float>(begin) + head * dim, dout.row_stride(), out.row<float>(begin) + head * dim,
                      out.row_stride(), end - begin, dim, deltas.row<float>(head) + begin);
    }
  });
  return deltas;
}

// The parts of the queries' gradients, in the order of their keys.
void add_parts(ThreadPool& pool, const AttentionSpec& spec, const std::vector<Task>& tasks, const Tensor& dq) {
  constexpr int64_t kRows = 512;
  for (const Task& task : tasks) {
    if (!task.part.defined()) continue;
    const Place place(spec, task.sequence, task.head);
    const int64_t dim = task.part.columns();
    for_chunks(pool, place.queries(), kRows, [&](int64_t begin, int64_t end) {
      tiles::add_rows(task.part.row<float>(begin), dim, end - begin, dim, 1,
                      dq.row<float>(place.q_begin + begin) + place.head * dim, dq.row_stride());
    });
  }
}

}  // namespace

void attention_backward(ThreadPool& pool, const AttentionSpec& spec, const AttentionTensors& in, const Tensor& out,
                        const Tensor& log_sum_exp, const Tensor& dout, const AttentionTensors& gradients) {
  const Tensor deltas = row_deltas(pool, spec, out, dout);
  const Call call{spec, in, log_sum_exp, dout, gradients, deltas};
  const std::vector<Task> tasks = make_tasks(spec, call.dim, call.value_dim);
  std::vector<Task> order = tasks;
  run_longest_first<BackwardWorker>(pool, order, call);
  add_parts(pool, spec, tasks, gradients.q);
}

}  // namespace roformer
