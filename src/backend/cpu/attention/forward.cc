#include <cmath>
#include <limits>
#include <numbers>
#include <utility>

#include "backend/cpu/attention/attention.h"
#include "backend/cpu/attention/factors.h"
#include "backend/cpu/attention/terms.h"

namespace roformer {

namespace {

// Maximum queries of a task, which share packed keys, and of a tile; keys of a tile. kKeys is fixed, so that results
// depend on shapes only, and a multiple of 64.
constexpr int64_t kQueries = 1056, kTileQueries = 32, kKeys = 256;
constexpr float kLog2E = std::numbers::log2e_v<float>, kLn2 = std::numbers::ln2_v<float>;

struct Call {
  const AttentionSpec& spec;
  const AttentionTensors& in;
  const RotaryAngles *query_angles, *key_angles, *value_angles;
  const Tensor& out;
  const Tensor& log_sum_exp;
  int64_t tile_queries;
  int64_t dim = in.q.columns() / spec.heads, value_dim = in.v.columns() / spec.key_heads();
  // Maximum of a task and of a tile, in whole panels.
  int64_t queries = tiles::padded_columns(std::min(kQueries, longest(spec.query_offsets)));
  int64_t keys = tiles::padded_columns(std::min(kKeys, longest(spec.key_offsets)));
};

// Some queries of some heads of one sequence.
struct Task {
  int64_t sequence, head, heads, query, queries;
  int64_t cost;  // products' multiplications
};

int64_t cost(const Call& call, const HeadRange& range, int64_t q0, int64_t queries) {
  int64_t keys = 0;
  for (int64_t i = 0; i < queries; ++i) keys += call.spec.visible_keys(q0 + i, range.keys()).count();
  return (keys + queries) * (call.dim + call.value_dim);
}

// The split does not affect results.
std::vector<Task> make_tasks(const Call& call, int64_t threads) {
  constexpr int64_t kMinOperations = 1 << 17, kMinRows = 96;  // minimum multiplications and queries of a task
  const AttentionSpec& spec = call.spec;
  const int64_t share = spec.query_offsets.back() * spec.heads / (4 * threads);
  const int64_t max_queries = std::clamp(share, kMinRows, kQueries);
  std::vector<Task> tasks;
  for (int64_t s = 0; s + 1 < static_cast<int64_t>(spec.query_offsets.size()); ++s) {
    const HeadRange range(spec, s, 0);
    const int64_t pieces = std::max<int64_t>(1, ceil_div(range.queries(), max_queries));
    const int64_t block = ceil_div(range.queries(), pieces * call.tile_queries) * call.tile_queries;
    const int64_t heads_per_task = std::clamp<int64_t>(
        kMinOperations / std::max<int64_t>(1, cost(call, range, range.q_begin, range.queries())), 1, spec.heads);
    for (int64_t head = 0; head < spec.heads; head += heads_per_task) {
      const int64_t heads = std::min(heads_per_task, spec.heads - head);
      // Adjacent tasks share keys.
      for (int64_t q = range.q_begin; q < range.q_end; q += block) {
        const int64_t queries = std::min(block, range.q_end - q);
        tasks.push_back({s, head, heads, q, queries, heads * cost(call, range, q, queries)});
      }
    }
  }
  return tasks;
}

template <class Factors>
class ForwardWorker {
 public:
  explicit ForwardWorker(const Call& call)
      : call_(call),
        stride_(tiles::padded_columns(call.value_dim)),
        factors_({call.queries, call.tile_queries, call.keys, call.dim, call.value_dim, call.key_angles != nullptr}),
        terms_(call.spec, call.dim, call.value_dim, call.tile_queries, call.keys),
        products_(call.queries * stride_) {}

  void operator()(const Task& task) {
    for (int64_t head = task.head; head < task.head + task.heads; ++head) {
      attend(HeadRange(call_.spec, task.sequence, head), task.query, task.queries);
    }
  }

 private:
  void attend(const HeadRange& range, int64_t q0, int64_t queries) {
    std::fill_n(tops_, queries, -std::numeric_limits<float>::infinity());
    std::fill_n(totals_, queries, 0.0f);
    std::fill_n(begun_, ceil_div(queries, call_.tile_queries), false);
    factors_.load_queries(source(call_.in.q, q0, range.head, call_.dim, call_.query_angles), queries,
                          static_cast<float>(call_.spec.scale) * kLog2E);
    if (terms_.any() && range.keys() > 0) {
      terms_.load(range, {call_.spec.terms, q0, queries, range.k_begin, range.keys()});
    }
    for (int64_t k0 = range.k_begin; k0 < range.k_end; k0 += kKeys) {
      const int64_t keys =
          visible_keys(call_.spec, range, q0, queries, k0, std::min(kKeys, range.k_end - k0), first_, end_);
      if (keys == 0) continue;
      factors_.load_keys(source(call_.in.k, k0, range.key_head, call_.dim, call_.key_angles), keys);
      factors_.load_values(source(call_.in.v, k0, range.key_head, call_.value_dim, call_.value_angles), keys);
      if (terms_.any()) terms_.load_keys(source(call_.in.k, k0, range.key_head, call_.dim, call_.key_angles), keys);
      for (int64_t i = 0; i < queries; i += call_.tile_queries) {
        tile(range, q0, i, std::min(call_.tile_queries, queries - i), k0);
      }
    }
    finish(range, q0, queries);
  }

  static tiles::RowSource source(const Tensor& x, int64_t token, int64_t head, int64_t dim,
                                 const RotaryAngles* angles) {
    return {x.row<float>(token) + head * dim, x.row_stride(), dim, angles, token};
  }

  // Queries q0 + i … of the task with the loaded keys that one of them sees.
  void tile(const HeadRange& range, int64_t q0, int64_t i, int64_t queries, int64_t k0) {
    const int64_t end = *std::max_element(end_ + i, end_ + i + queries);
    if (end == 0) return;
    const int64_t key = terms_.any() ? 0 : skip_invisible(first_ + i, end_ + i, queries), keys = end - key;
    const tiles::Scores scores = factors_.score(i, queries, key, keys);
    if (terms_.any()) {
      terms_.load_queries(source(call_.in.q, q0 + i, range.head, call_.dim, call_.query_angles), queries);
      terms_.add(q0 + i, queries, k0, keys, scores);
    }
    if (call_.spec.score_cap != 0) {
      tiles::cap_scores(scores, queries, keys, static_cast<float>(call_.spec.score_cap) * kLog2E, nullptr);
    }
    float shrink[kTileQueries] = {};
    tiles::softmax(scores, queries, keys, {first_ + i, end_ + i}, {tops_ + i, totals_ + i, shrink});
    for (int64_t r = 0; call_.spec.dropout.active() && r < queries; ++r) {
      draw_factors(call_.spec, range, q0 + i + r, k0 + key, keys, dropout_);
      tiles::multiply_row(scores, r, dropout_, keys, scores.data);
    }
    const bool first = !std::exchange(begun_[i / call_.tile_queries], true);
    factors_.weigh_values(queries, key, keys, first ? nullptr : shrink, products_.data() + i * stride_, stride_);
    if (terms_.values()) {
      terms_.add_values(q0 + i, queries, k0, keys, scores, products_.data() + i * stride_, stride_);
    }
  }

  void finish(const HeadRange& range, int64_t q0, int64_t queries) {
    for (int64_t i = 0; i < queries; ++i) {
      if (totals_[i] == 0) std::fill_n(products_.data() + i * stride_, call_.value_dim, 0.0f);  // sees no keys
      inverses_[i] = totals_[i] == 0 ? 0 : 1 / totals_[i];
    }
    tiles::scale_rows(products_.data(), stride_, queries, call_.value_dim, inverses_,
                      call_.out.row<float>(q0) + range.head * call_.value_dim, call_.out.row_stride());
    if (!call_.log_sum_exp.defined()) return;
    float* const logs = call_.log_sum_exp.row<float>(range.head) + q0;
    for (int64_t i = 0; i < queries; ++i) logs[i] = tops_[i] * kLn2 + std::log(totals_[i]);
  }

  const Call& call_;
  int64_t stride_;  // of products
  Factors factors_;
  ScoreTerms terms_;
  Buffer products_;
  int32_t first_[kQueries] = {}, end_[kQueries] = {};  // visible range of the loaded keys
  bool begun_[kQueries] = {};                          // whether a tile of queries has products yet
  float tops_[kQueries] = {}, totals_[kQueries] = {}, inverses_[kQueries] = {}, dropout_[kKeys] = {};
};

}  // namespace

void attention_forward(ThreadPool& pool, const AttentionSpec& spec, const AttentionTensors& in,
                       const RotaryAngles* query_angles, const RotaryAngles* key_angles, bool rotate_values,
                       Precision precision, const Tensor& out, const Tensor& log_sum_exp) {
  const Call call{spec,
                  in,
                  query_angles,
                  key_angles,
                  rotate_values ? key_angles : nullptr,
                  out,
                  log_sum_exp,
                  precision == Precision::float32 ? Float32Factors::tile_queries() : Bfloat16Factors::tile_queries()};
  std::vector<Task> tasks = make_tasks(call, pool.threads());
  if (precision == Precision::float32) return run_longest_first<ForwardWorker<Float32Factors>>(pool, tasks, call);
  run_longest_first<ForwardWorker<Bfloat16Factors>>(pool, tasks, call);
}

}  // namespace roformer
