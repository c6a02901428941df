#include <numbers>

#include "backend/cpu/attention/attention.h"
#include "backend/cpu/attention/gradients.h"
#include "backend/cpu/attention/terms.h"

namespace roformer {

namespace {

// Keys loaded at a time: fixed, so that results depend on shapes only, and a multiple of 64.
constexpr int64_t kKeys = 256;
constexpr float kLog2E = std::numbers::log2e_v<float>, kLn2 = std::numbers::ln2_v<float>;

struct Call {
  const AttentionSpec& spec;
  const AttentionTensors& in;
  const Tensor& log_sum_exp;
  const Tensor& dout;
  const AttentionTensors& gradients;
  const RelativeTerms& dterms;
  std::vector<TermGradients>& term_gradients;  // one per task, in order, if there are terms
  const Tensor& deltas;  // [heads, queries] dout·out, which is Σ_j p_ij dp_ij, also under dropout (Dao et al., app. B)
  int64_t dim = in.q.columns() / spec.heads, value_dim = in.v.columns() / spec.key_heads();
  int64_t keys = tiles::padded_columns(std::min(kKeys, longest(spec.key_offsets)));  // of a tile, in whole panels
};

// Some keys of one head of one sequence: computes their gradients and their part of the gradients of the queries (of
// all heads that share them). The part of the first keys goes directly into the gradient, the other parts are buffered
// in `part` and added at the end.
struct Task {
  int64_t sequence, key_head, key_begin, key_end;
  size_t number;
  Tensor part;   // [queries, group · dim]
  int64_t cost;  // multiplications
};

template <class Gradients>
class BackwardWorker {
 public:
  explicit BackwardWorker(const Call& call)
      : call_(call),
        gradients_({call.keys, call.dim, call.value_dim}),
        terms_(call.spec, call.dterms, call.dim, call.value_dim, Gradients::kQueries, call.keys),
        dropped_(call.spec.dropout.active() ? Gradients::kQueries * call.keys : 0),
        slopes_(call.spec.score_cap != 0 ? Gradients::kQueries * call.keys : 0) {}

  void operator()(const Task& task) {
    const int64_t group = call_.spec.group();
    const HeadRange range(call_.spec, task.sequence, task.key_head * group);  // the first of the query heads
    for (int64_t i = 0; i < range.queries(); ++i) std::fill_n(query_gradient(task, range, i), group * call_.dim, 0.0f);
    if (terms_.any() && range.queries() > 0 && task.key_begin < task.key_end) {
      terms_.load(range,
                  {call_.spec.terms, range.q_begin, range.queries(), task.key_begin, task.key_end - task.key_begin});
      call_.term_gradients[task.number] = terms_.make_gradients(range, terms_.distances());
    }
    for (int64_t k0 = task.key_begin; k0 < task.key_end; k0 += kKeys) {
      block(task, range, k0, std::min(kKeys, task.key_end - k0));
    }
  }

 private:
  static tiles::RowSource source(const Tensor& x, int64_t token, int64_t head, int64_t dim) {
    return {x.row<float>(token) + head * dim, x.row_stride(), dim, nullptr, token};
  }

  float* query_gradient(const Task& task, const HeadRange& range, int64_t i) const {
    if (task.part.defined()) return task.part.row<float>(i) + range.head % call_.spec.group() * call_.dim;
    return call_.gradients.q.row<float>(range.q_begin + i) + range.head * call_.dim;
  }

  // All queries of all heads with these keys.
  void block(const Task& task, const HeadRange& first, int64_t k0, int64_t keys) {
    const int64_t head = first.key_head, dim = call_.dim, value_dim = call_.value_dim;
    gradients_.load_keys(source(call_.in.k, k0, head, dim), source(call_.in.v, k0, head, value_dim), keys);
    if (terms_.any()) {
      terms_.load_keys(source(call_.in.k, k0, head, dim), keys);
      terms_.clear_keys(keys);
    }
    for (int64_t i = 0; i < call_.spec.group(); ++i) {
      add_queries(task, HeadRange(call_.spec, task.sequence, first.head + i), k0, keys);
    }
    const Tensor &dk = call_.gradients.k, &dv = call_.gradients.v;
    gradients_.store(kLn2,  // the queries were scaled for powers of two
                     dk.row<float>(k0) + head * dim, dk.row_stride(), dv.row<float>(k0) + head * value_dim,
                     dv.row_stride());
    if (terms_.any()) terms_.add_keys(keys, dk.row<float>(k0) + head * dim, dk.row_stride());
  }

  // One head's queries with the loaded keys.
  void add_queries(const Task& task, const HeadRange& range, int64_t k0, int64_t keys) {
    const int64_t stride = task.part.defined() ? task.part.row_stride() : call_.gradients.q.row_stride();
    for (int64_t q0 = range.q_begin; q0 < range.q_end; q0 += Gradients::kQueries) {
      const int64_t queries = std::min(Gradients::kQueries, range.q_end - q0);
      const int64_t visible = visible_keys(call_.spec, range, q0, queries, k0, keys, first_, end_);
      if (visible == 0) continue;
      const int64_t key = terms_.any() ? 0 : skip_invisible(first_, end_, queries);
      // Whole panels, so that what products write beyond these keys is no other key's gradient.
      const int64_t of_tile = std::min(keys, tiles::padded_columns(visible)) - key;
      const tiles::Scores dscores = tile(task, range, q0, queries, k0, key, of_tile);
      float* const dq = query_gradient(task, range, q0 - range.q_begin);
      tiles::add_rows(gradients_.query_products(dscores, queries, key, of_tile), gradients_.query_stride(), queries,
                      call_.dim, static_cast<float>(call_.spec.scale), dq, stride);
      if (!terms_.any()) continue;
      terms_.add_score_gradients(q0, queries, k0, of_tile, dscores, call_.term_gradients[task.number], dq, stride);
    }
  }

  // Keys k0 + key … of the loaded ones. Adds to the gradients of keys and values; returns those of the scores.
  tiles::Scores tile(const Task& task, const HeadRange& range, int64_t q0, int64_t queries, int64_t k0, int64_t key,
                     int64_t keys) {
    gradients_.load_queries(source(call_.in.q, q0, range.head, call_.dim),
                            static_cast<float>(call_.spec.scale) * kLog2E,
                            source(call_.dout, q0, range.head, call_.value_dim), queries);
    const tiles::Scores weights = gradients_.score(queries, key, keys);
    if (terms_.any()) {
      terms_.load_queries(source(call_.in.q, q0, range.head, call_.dim), queries);
      terms_.add(q0, queries, k0, keys, weights);
    }
    const auto cap = static_cast<float>(call_.spec.score_cap);
    if (cap != 0) tiles::cap_scores(weights, queries, keys, cap * kLog2E, slopes_.data());
    float shifts[Gradients::kQueries];
    for (int64_t i = 0; i < queries; ++i) shifts[i] = call_.log_sum_exp.row<float>(range.head)[q0 + i] * kLog2E;
    tiles::recompute_weights(weights, queries, keys, {first_, end_}, shifts);
    const tiles::Scores dweights = gradients_.dweigh(queries, key, keys);
    if (terms_.values()) {
      terms_.load_douts(source(call_.dout, q0, range.head, call_.value_dim), queries);
      terms_.add_dweights(q0, queries, k0, keys, dweights);
    }
    const tiles::Scores dropped = drop(range, q0, queries, k0 + key, keys, weights, dweights);
    gradients_.add_values(dropped, queries, key, keys);
    if (terms_.values()) {
      terms_.add_value_gradients(q0, queries, k0, keys, dropped, call_.term_gradients[task.number]);
    }
    tiles::softmax_backward(weights, dweights, queries, keys, call_.deltas.row<float>(range.head) + q0);
    if (cap != 0) tiles::multiply_tile(dweights, queries, keys, slopes_.data());
    gradients_.add_keys(dweights, queries, key, keys);
    return dweights;
  }

  // The weights after dropout; dweights become the gradients of those before it.
  tiles::Scores drop(const HeadRange& range, int64_t q0, int64_t queries, int64_t k0, int64_t keys,
                     const tiles::Scores& weights, const tiles::Scores& dweights) {
    if (!call_.spec.dropout.active()) return weights;
    for (int64_t i = 0; i < queries; ++i) {
      draw_factors(call_.spec, range, q0 + i, k0, keys, factors_);
      tiles::multiply_row(dweights, i, factors_, keys, dweights.data);
      tiles::multiply_row(weights, i, factors_, keys, dropped_.data());
    }
    return {dropped_.data(), weights.stride, weights.panel_stride};
  }

  const Call& call_;
  Gradients gradients_;
  ScoreTermsBackward terms_;
  Buffer dropped_, slopes_;
  int32_t first_[Gradients::kQueries] = {}, end_[Gradients::kQueries] = {};
  float factors_[kKeys] = {};
};

// Where heads are few, long sequences are split by keys, to occupy many threads.
std::vector<Task> make_tasks(const AttentionSpec& spec, int64_t dim, int64_t value_dim) {
  constexpr int64_t kEnough = 16, kMinRows = 1024;  // heads; keys of a task
  const auto sequences = static_cast<int64_t>(spec.query_offsets.size()) - 1;
  const int64_t wanted = kEnough / std::max<int64_t>(1, sequences * spec.key_heads());
  std::vector<Task> tasks;
  for (int64_t s = 0; s < sequences; ++s) {
    const HeadRange range(spec, s, 0);
    const int64_t pieces = std::clamp<int64_t>(range.keys() / kMinRows, 1, std::max<int64_t>(1, wanted));
    const int64_t size = ceil_div(range.keys() / pieces, kKeys) * kKeys;
    for (int64_t head = 0; head < spec.key_heads(); ++head) {
      int64_t begin = range.k_begin;
      do {
        const int64_t end = std::min(begin + size, range.k_end);
        const bool first = begin == range.k_begin;
        tasks.push_back({s, head, begin, end, tasks.size(),
                         first ? Tensor() : Tensor::allocate({range.queries(), spec.group() * dim}, DType::float32),
                         spec.group() * range.queries() * (end - begin) * (3 * dim + 2 * value_dim)});
        begin = end;
      } while (begin < range.k_end);
    }
  }
  return tasks;
}

Tensor row_deltas(ThreadPool& pool, const AttentionSpec& spec, const Tensor& out, const Tensor& dout) {
  constexpr int64_t kRows = 64;
  const int64_t queries = out.rows(), dim = out.columns() / spec.heads;
  Tensor deltas = Tensor::allocate({spec.heads, queries}, DType::float32);
  for_chunks(pool, queries, kRows, [&](int64_t begin, int64_t end) {
    for (int64_t head = 0; head < spec.heads; ++head) {
      tiles::row_dots(dout.row<float>(begin) + head * dim, dout.row_stride(), out.row<float>(begin) + head * dim,
                      out.row_stride(), end - begin, dim, deltas.row<float>(head) + begin);
    }
  });
  return deltas;
}

// Adds the parts of the queries' gradients in order of keys.
void add_parts(ThreadPool& pool, const AttentionSpec& spec, const std::vector<Task>& tasks, const Tensor& dq) {
  constexpr int64_t kRows = 512;
  for (const Task& task : tasks) {
    if (!task.part.defined()) continue;
    const HeadRange range(spec, task.sequence, task.key_head * spec.group());
    const int64_t columns = task.part.columns();
    for_chunks(pool, range.queries(), kRows, [&](int64_t begin, int64_t end) {
      tiles::add_rows(task.part.row<float>(begin), columns, end - begin, columns, 1,
                      dq.row<float>(range.q_begin + begin) + task.key_head * columns, dq.row_stride());
    });
  }
}

}  // namespace

void attention_backward(ThreadPool& pool, const AttentionSpec& spec, const AttentionTensors& in, Precision precision,
                        const Tensor& out, const Tensor& log_sum_exp, const Tensor& dout,
                        const AttentionTensors& gradients, const RelativeTerms& dterms) {
  const Tensor deltas = row_deltas(pool, spec, out, dout);
  std::vector<TermGradients> term_gradients;
  const Call call{spec, in, log_sum_exp, dout, gradients, dterms, term_gradients, deltas};
  const std::vector<Task> tasks = make_tasks(spec, call.dim, call.value_dim);
  if (spec.terms.any()) term_gradients.resize(tasks.size());
  std::vector<Task> order = tasks;
  if (precision == Precision::float32) {
    run_longest_first<BackwardWorker<Float32Gradients>>(pool, order, call);
  } else {
    run_longest_first<BackwardWorker<Bfloat16Gradients>>(pool, order, call);
  }
  add_parts(pool, spec, tasks, gradients.q);
  add_term_gradients(pool, spec, term_gradients, dterms);
}

}  // namespace roformer
