#include <cmath>
#include <limits>
#include <numbers>

#include "backend/cpu/attention.h"
#include "backend/cpu/attention_tasks.h"
#include "backend/cpu/attention_tile.h"
#include "backend/cpu/cpu_backend.h"

namespace roformer {

namespace {

// Queries of a task, which share packed keys; queries and keys of a tile. Fixed, so that results depend on shapes only;
// kKeys is a multiple of 64.
constexpr int64_t kQueries = 512, kTileQueries = 24, kKeys = 256;
constexpr float kLog2E = std::numbers::log2e_v<float>, kLn2 = std::numbers::ln2_v<float>;

struct Call {
  const AttentionSpec& spec;
  const AttentionTensors& in;
  const RotaryAngles *query_angles, *key_angles;
  bool rotate_values;
  const Tensor& out;
  const Tensor& log_sum_exp;
  int64_t dim = in.q.columns() / spec.heads, value_dim = in.v.columns() / spec.heads;
  // The most of a task and of a tile, whole panels.
  int64_t queries = tiles::padded_columns(std::min(kQueries, longest(spec.query_offsets)));
  int64_t keys = tiles::padded_columns(std::min(kKeys, longest(spec.key_offsets)));
};

// Some queries of some heads of one sequence.
struct Task {
  int64_t sequence, head, heads, query, queries;
  int64_t cost;  // products' multiplications
};

std::vector<Task> make_tasks(const Call& call) {
  constexpr int64_t kLeast = 1 << 17;  // multiplications that are worth a task
  const AttentionSpec& spec = call.spec;
  std::vector<Task> tasks;
  for (int64_t s = 0; s + 1 < static_cast<int64_t>(spec.query_offsets.size()); ++s) {
    const Place place(spec, s, 0);
    for (int64_t q = place.q_begin; q < place.q_end; q += kQueries) {
      const int64_t queries = std::min(kQueries, place.q_end - q);
      int64_t keys = 0;
      for (int64_t i = 0; i < queries; ++i) keys += spec.keys_seen(q + i, place.keys());
      const int64_t cost = std::max<int64_t>(1, (keys + queries) * (call.dim + call.value_dim));
      const int64_t together = std::clamp<int64_t>(kLeast / cost, 1, spec.heads);
      for (int64_t head = 0; head < spec.heads; head += together) {
        const int64_t heads = std::min(together, spec.heads - head);
        tasks.push_back({s, head, heads, q, queries, cost * heads});
      }
    }
  }
  return tasks;
}

class ForwardWorker {
 public:
  explicit ForwardWorker(const Call& call)
      : call_(call),
        q_stride_(tiles::padded_columns(call.dim)),
        sums_stride_(tiles::padded_columns(call.value_dim)),
        queries_(call.queries * q_stride_),
        rows_(call.key_angles == nullptr ? 0 : call.keys * std::max(q_stride_, sums_stride_)),
        keys_(call.keys * call.dim),
        values_(call.keys * sums_stride_),
        scores_(kTileQueries * call.keys),
        products_(call.queries * sums_stride_) {}

  void operator()(const Task& task) {
    for (int64_t head = task.head; head < task.head + task.heads; ++head) {
      attend(Place(call_.spec, task.sequence, head), task.query, task.queries);
    }
  }

 private:
  void attend(const Place& place, int64_t q0, int64_t queries) {
    std::fill_n(tops_, queries, -std::numeric_limits<float>::infinity());
    std::fill_n(totals_, queries, 0.0f);
    tiles::load_rows(source(call_.in.q, q0, place.head, call_.dim, call_.query_angles), queries,
                     static_cast<float>(call_.spec.scale) * kLog2E, queries_.data(), q_stride_);
    for (int64_t k0 = place.k_begin; k0 < place.k_end; k0 += kKeys) {
      const int64_t keys = visible_keys(call_.spec, place, q0, queries, k0, std::min(kKeys, place.k_end - k0), seen_);
      if (keys == 0) break;  // what is seen are the first ones
      load_keys(place, k0, keys);
      for (int64_t i = 0; i < queries; i += kTileQueries) {
        tile(place, q0, i, std::min(kTileQueries, queries - i), k0, keys);
      }
    }
    finish(place, q0, queries);
  }

  tiles::RowSource source(const Tensor& x, int64_t token, int64_t head, int64_t dim, const RotaryAngles* angles) const {
    return {x.row<float>(token) + head * dim, x.row_stride(), dim, angles, token};
  }

  void load_keys(const Place& place, int64_t k0, int64_t keys) {
    const Tensor &k = call_.in.k, &v = call_.in.v;
    if (call_.key_angles != nullptr) {
      tiles::load_rows(source(k, k0, place.head, call_.dim, call_.key_angles), keys, 1, rows_.data(), q_stride_);
      tiles::pack_transposed(rows_.data(), q_stride_, keys, call_.dim, keys_.data());
    } else {
      tiles::pack_transposed(k.row<float>(k0) + place.head * call_.dim, k.row_stride(), keys, call_.dim, keys_.data());
    }
    if (call_.key_angles != nullptr && call_.rotate_values) {
      tiles::load_rows(source(v, k0, place.head, call_.value_dim, call_.key_angles), keys, 1, rows_.data(),
                       sums_stride_);
      tiles::pack(rows_.data(), sums_stride_, keys, call_.value_dim, values_.data());
    } else {
      tiles::pack(v.row<float>(k0) + place.head * call_.value_dim, v.row_stride(), keys, call_.value_dim,
                  values_.data());
    }
  }

  // Queries q0 + i … of the task against the keys that are packed.
  void tile(const Place& place, int64_t q0, int64_t i, int64_t queries, int64_t k0, int64_t packed) {
    const int64_t keys = *std::max_element(seen_ + i, seen_ + i + queries);
    if (keys == 0) return;
    float* const scores = scores_.data();
    const int64_t stride = call_.keys;
    tiles::multiply(queries, keys, call_.dim, {queries_.data() + i * q_stride_, q_stride_},
                    {.data = keys_.data(), .panel_stride = call_.dim * tiles::kPanel}, nullptr, scores, stride);
    tiles::softmax(scores, stride, queries, keys, seen_ + i, {tops_ + i, totals_ + i, factors_});
    for (int64_t r = 0; call_.spec.dropout.active() && r < queries; ++r) {
      draw_factors(call_.spec, place, q0 + i + r, k0, keys, dropout_);
      rows::multiply(scores + r * stride, dropout_, scores + r * stride, keys);
    }
    tiles::multiply(queries, call_.value_dim, keys, {scores, stride},
                    {.data = values_.data(), .panel_stride = packed * tiles::kPanel},
                    k0 == place.k_begin ? nullptr : factors_, products_.data() + i * sums_stride_, sums_stride_);
  }

  void finish(const Place& place, int64_t q0, int64_t queries) {
    for (int64_t i = 0; i < queries; ++i) {
      if (totals_[i] == 0) std::fill_n(products_.data() + i * sums_stride_, call_.value_dim, 0.0f);  // sees no keys
      factors_[i] = totals_[i] == 0 ? 0 : 1 / totals_[i];
    }
    tiles::store_rows(products_.data(), sums_stride_, queries, call_.value_dim, factors_,
                      call_.out.row<float>(q0) + place.head * call_.value_dim, call_.out.row_stride());
    if (!call_.log_sum_exp.defined()) return;
    float* const logs = call_.log_sum_exp.row<float>(place.head) + q0;
    for (int64_t i = 0; i < queries; ++i) logs[i] = tops_[i] * kLn2 + std::log(totals_[i]);
  }

  const Call& call_;
  int64_t q_stride_, sums_stride_;
  Room queries_, rows_, keys_, values_, scores_, products_;
  int32_t seen_[kQueries] = {};
  float tops_[kQueries] = {}, totals_[kQueries] = {}, factors_[kQueries] = {}, dropout_[kKeys] = {};
};

}  // namespace

void attention_forward(ThreadPool& pool, const AttentionSpec& spec, const AttentionTensors& in,
                       const RotaryAngles* query_angles, const RotaryAngles* key_angles, bool rotate_values,
                       Precision /*precision*/, const Tensor& out, const Tensor& log_sum_exp) {
  const Call call{spec, in, query_angles, key_angles, rotate_values, out, log_sum_exp};
  std::vector<Task> tasks = make_tasks(call);
  run_longest_first<ForwardWorker>(pool, tasks, call);
}

}  // namespace roformer
