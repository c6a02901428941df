// The encoder layers of an inference-only model. Between two attentions all operations are per row: output projection,
// both norms, feed-forward network and the next layer's q, k and v. So with many tokens each task takes a block of rows
// through all of them while the block is in its core's cache, and a layer has two barriers. With few tokens the columns
// of each product are distributed instead. Both give the same bits.
#include "backend/layers.h"

#include <algorithm>
#include <utility>

#include "backend/cpu/attention/attention.h"
#include "backend/cpu/cpu_backend.h"
#include "backend/cpu/gemm/product.h"
#include "backend/cpu/rows/rows.h"
#include "backend/cpu/weights.h"

namespace roformer {

namespace {

const float* row_or_null(const Tensor& x) { return x.defined() ? x.data<float>() : nullptr; }

// The tensors of a pass, for all tokens.
struct Pass {
  Tensor hidden, qkv, mixed;  // [T, H], [T, 3H], [T, H]
};

// A range of rows and its intermediate results.
struct Block {
  int64_t row = 0, rows = 0;
  LhsBuffer lhs, inner;
  Tensor sums, expanded;  // [rows, H]; [rows, I] where the products need it in another type

  void reserve(int64_t first, int64_t count, int64_t hidden, int64_t intermediate, bool expand) {
    row = first;
    rows = count;
    const auto grow = [&](Tensor& x, int64_t columns) {
      if (!x.defined() || x.rows() < count || x.columns() != columns) {
        x = Tensor::allocate({count, columns}, DType::float32);
      }
    };
    grow(sums, hidden);
    if (expand) grow(expanded, intermediate);
  }
};

// How the work on a block is run: on this thread, or distributed over the pool.
struct SerialRunner {
  double share;  // of the wall time per thread

  // Products read these rows in pieces, which the hardware prefetcher does not predict.
  void prefetch(const Tensor& x, int64_t row, int64_t rows) const {
    constexpr int64_t kLine = 64;
    for (int64_t i = row; i < row + rows; ++i) {
      const auto* const from = reinterpret_cast<const char*>(x.row<float>(i));
      for (int64_t byte = 0; byte < x.columns() * 4; byte += kLine) tile::prefetch(from + byte, kLine);
    }
  }

  template <class Body>
  void rows(int64_t count, Body&& body) const {
    body(int64_t{0}, count);
  }
  // Calls body(first row, rows, first panel, last panel).
  template <class Body>
  void product(int64_t rows, int64_t panels, Body&& body) const {
    body(int64_t{0}, rows, int64_t{0}, panels);
  }
};

struct PoolRunner {
  ThreadPool& pool;
  static constexpr double share = 1;

  void prefetch(const Tensor&, int64_t, int64_t) const {}  // few rows are in cache

  template <class Body>
  void rows(int64_t count, Body&& body) const {
    for_chunks(pool, count, 16, body);
  }
  // A share of the panels for all rows, so that each panel is read once, or for a block of rows if there are more
  // threads than panels.
  template <class Body>
  void product(int64_t rows, int64_t panels, Body&& body) const {
    const int64_t tasks = std::max(16, 2 * pool.threads()), width = std::max<int64_t>(1, panels / tasks);
    const int64_t shares = ceil_div(panels, width), blocks = ceil_div(tasks, shares);
    const int64_t block = std::clamp(ceil_div(ceil_div(rows, blocks), kLeastRows) * kLeastRows, kLeastRows, kMostRows);
    pool.run(shares * ceil_div(rows, block), [&](int64_t task) {
      const int64_t row = task / shares * block, first = task % shares * width;
      body(row, std::min(block, rows - row), first, std::min(panels, first + width));
    });
  }
  static constexpr int64_t kLeastRows = 48, kMostRows = 288;  // whole tiles
};

class CpuLayers final : public FusedLayers {
 public:
  CpuLayers(CpuBackend& backend, const LayersConfig& config, std::span<const LayerWeights> layers)
      : backend_(backend),
        config_(config),
        precision_(backend.chosen().products),
        layers_(layers.begin(), layers.end()),
        hidden_(packed(layers_.front().output).columns()),
        intermediate_(packed(layers_.front().output).depth()) {}

  void forward(const AttentionSpec& spec, const RotaryAngles* query_angles, const RotaryAngles* key_angles,
               bool rotate_values, const Tensor& hidden) const override {
    run(hidden, [&](size_t, const Pass& pass) { attend(spec, query_angles, key_angles, rotate_values, pass); });
  }

  void forward(const LayerAttention& attention, const Tensor& hidden) const override {
    run(hidden, [&](size_t layer, const Pass& pass) { attention(layer, pass.qkv, pass.mixed); });
  }

 private:
  // attention(layer, pass) computes `mixed` from `qkv`.
  template <class Attention>
  void run(const Tensor& hidden, const Attention& attention) const {
    const int64_t tokens = hidden.rows();
    if (tokens == 0) return;
    const bool few = tokens <= std::max<int64_t>(256, int64_t{24} * backend_.pool().threads());
    const Pass pass{hidden, backend_.empty({tokens, 3 * hidden_}), backend_.empty({tokens, hidden_})};
    Block all;
    if (few) all.reserve(0, tokens, hidden_, intermediate_, precision_ == Precision::int8);
    // Calls body(block, runner) for blocks of all tokens.
    const auto for_blocks = [&](const auto& body) {
      if (few) return body(all, PoolRunner{backend_.pool()});
      const int64_t tile_rows = tile::rows_of(precision_);
      const int64_t tiles = ceil_div(tokens, tile_rows), blocks = count_blocks(tokens);
      const ScopedTimer timed(backend_.profile(), "blocks of rows", 0, 0);
      backend_.pool().run(blocks, [&](int64_t i) {
        thread_local Block block;
        const int64_t begin = tiles * i / blocks * tile_rows;
        const int64_t end = std::min(tokens, tiles * (i + 1) / blocks * tile_rows);
        block.reserve(begin, end - begin, hidden_, intermediate_, precision_ == Precision::int8);
        body(block, SerialRunner{1.0 / backend_.pool().threads()});
      });
    };
    for_blocks([&](Block& block, const auto& runner) { project(layers_.front(), pass, block, runner); });
    for (size_t i = 0; i < layers_.size(); ++i) {
      attention(i, pass);
      for_blocks([&](Block& block, const auto& runner) {
        finish_layer(layers_[i], pass, block, runner);
        if (i + 1 < layers_.size()) project(layers_[i + 1], pass, block, runner);
      });
    }
  }

  static const PackedMatrix& packed(const LayerWeights::Linear& linear) {
    return static_cast<const PackedWeight&>(*linear.weight).matrix();
  }

  // A multiple of the number of threads, for load balance; with rows near those of a block of products.
  int64_t count_blocks(int64_t tokens) const {
    const int64_t rows = block_rows(precision_, backend_.chosen().widened());
    const int64_t threads = backend_.pool().threads();
    return std::min(ceil_div(tokens, tile::rows_of(precision_)), ceil_div(ceil_div(tokens, rows), threads) * threads);
  }

  // Computes q, k and v of a block from its hidden states.
  template <class Runner>
  void project(const LayerWeights& layer, const Pass& pass, Block& block, const Runner& runner) const {
    const LhsRows lhs = load(pass.hidden, block, runner);
    product("query, key, value", lhs, block, packed(layer.qkv), runner,
            {.bias = row_or_null(layer.qkv.bias), .out = pass.qkv.row<float>(block.row), .out_stride = 3 * hidden_});
  }

  void attend(const AttentionSpec& spec, const RotaryAngles* query_angles, const RotaryAngles* key_angles,
              bool rotate_values, const Pass& pass) const {
    const AttentionTensors in{pass.qkv.column_range(0, hidden_), pass.qkv.column_range(hidden_, hidden_),
                              pass.qkv.column_range(2 * hidden_, hidden_)};
    const ScopedTimer timed(backend_.profile(), "attention", attention_operations(spec, in), 0);
    attention_forward(backend_.pool(), spec, in, query_angles, key_angles, rotate_values, backend_.chosen().attention,
                      pass.mixed, Tensor());
  }

  template <class Runner>
  void finish_layer(const LayerWeights& layer, const Pass& pass, Block& block, const Runner& runner) const {
    float* const sums = block.sums.data<float>();
    const float* const hidden = pass.hidden.row<float>(block.row);
    const int64_t stride = pass.hidden.row_stride();
    runner.prefetch(pass.hidden, block.row, block.rows);
    product("attention output", load(pass.mixed, block, runner), block, packed(layer.attention_output), runner,
            {.bias = row_or_null(layer.attention_output.bias),
             .residual = hidden,
             .residual_stride = stride,
             .out = sums,
             .out_stride = hidden_});
    normalize(layer.attention_norm, pass, block, runner);
    const LhsRows expanded = expand(layer, load(pass.hidden, block, runner), block, runner);
    product("feed-forward down projection", expanded, block, packed(layer.output), runner,
            {.bias = row_or_null(layer.output.bias),
             .residual = hidden,
             .residual_stride = stride,
             .out = sums,
             .out_stride = hidden_});
    normalize(layer.output_norm, pass, block, runner);
  }

  // The up projection, stored as the left factor of the down projection.
  template <class Runner>
  LhsRows expand(const LayerWeights& layer, const LhsRows& lhs, Block& block, const Runner& runner) const {
    const LhsRows expanded = block.inner.reserve(precision_, block.rows, intermediate_);
    tile::Epilogue epilogue{
        .bias = row_or_null(layer.intermediate.bias), .activation = config_.activation, .out_stride = expanded.stride};
    switch (precision_) {
      case Precision::float32: epilogue.out = static_cast<float*>(block.inner.data()); break;
      case Precision::bfloat16: epilogue.out_bfloat16 = static_cast<uint16_t*>(block.inner.data()); break;
      case Precision::int8:
        epilogue.out = block.expanded.data<float>();
        epilogue.out_stride = intermediate_;
        break;
      case Precision::int4: break;  // of decoders, which are not fused
    }
    product("feed-forward up projection", lhs, block, packed(layer.intermediate), runner, epilogue);
    if (precision_ == Precision::int8) {
      const ScopedTimer timed(backend_.profile(), "rounding", 0, 5.0 * static_cast<double>(block.rows * intermediate_),
                              runner.share);
      runner.rows(block.rows, [&](int64_t begin, int64_t end) {
        block.inner.fill(block.expanded.row<float>(begin), intermediate_, begin, end - begin);
      });
    }
    return expanded;
  }

  // The block's rows of x as a left factor.
  template <class Runner>
  LhsRows load(const Tensor& x, Block& block, const Runner& runner) const {
    if (precision_ == Precision::float32) {
      return block.lhs.of(precision_, {x.row<float>(block.row), x.row_stride()}, block.rows, x.columns());
    }
    const ScopedTimer timed(backend_.profile(), "rounding", 0, 5.0 * static_cast<double>(block.rows * x.columns()),
                            runner.share);
    const LhsRows lhs = block.lhs.reserve(precision_, block.rows, x.columns());
    runner.rows(block.rows, [&](int64_t begin, int64_t end) {
      block.lhs.fill(x.row<float>(block.row + begin), x.row_stride(), begin, end - begin);
    });
    return lhs;
  }

  template <class Runner>
  void product(std::string_view name, const LhsRows& lhs, const Block& block, const PackedMatrix& matrix,
               const Runner& runner, const tile::Epilogue& epilogue) const {
    const double operations =
        2.0 * static_cast<double>(block.rows) * static_cast<double>(matrix.depth() * matrix.columns());
    const ScopedTimer timed(backend_.profile(), name, operations, 0, runner.share);
    runner.product(block.rows, matrix.panels(), [&](int64_t row, int64_t rows, int64_t first, int64_t last) {
      multiply_panels(lhs.from(row), rows, matrix, first, last, epilogue, row);
    });
  }

  // Norms the block's sums into its hidden states.
  template <class Runner>
  void normalize(const LayerWeights::Norm& norm, const Pass& pass, const Block& block, const Runner& runner) const {
    const float *gain = row_or_null(norm.gain), *bias = row_or_null(norm.bias);
    const auto epsilon = static_cast<float>(config_.norm.epsilon);
    const ScopedTimer timed(backend_.profile(), "norm", 0, 8.0 * static_cast<double>(block.rows * hidden_),
                            runner.share);
    runner.rows(block.rows, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const float* from = block.sums.row<float>(i);
        float* to = pass.hidden.row<float>(block.row + i);
        float statistics[2];
        if (!is_rms(config_.norm.kind)) {
          rows::layer_norm(from, gain, bias, epsilon, statistics, to, hidden_);
        } else {
          rows::rms_norm(from, gain, epsilon, to, hidden_);
        }
      }
    });
  }

  CpuBackend& backend_;
  LayersConfig config_;
  Precision precision_;
  std::vector<LayerWeights> layers_;
  int64_t hidden_, intermediate_;
};

}  // namespace

std::unique_ptr<FusedLayers> CpuBackend::fuse(const LayersConfig& config, std::span<const LayerWeights> layers) {
  if (layers.empty()) return nullptr;
  for (const LayerWeights& layer : layers) {
    for (const auto* linear : {&layer.qkv, &layer.attention_output, &layer.intermediate, &layer.output}) {
      if (linear->weight == nullptr) return nullptr;
    }
  }
  return std::make_unique<CpuLayers>(*this, config, layers);
}

}  // namespace roformer
