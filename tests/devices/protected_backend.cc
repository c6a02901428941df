// The backend "protected", a plug-in that stands in for a GPU: code that reads its tensors outside of its kernels
// crashes. Their pages are protected except while one of its kernels runs; the kernels are the reference's.
#include <sys/mman.h>

#include <bit>
#include <cstring>
#include <exception>
#include <map>
#include <mutex>
#include <new>
#include <type_traits>
#include <vector>

#include "backend/linear_attention.h"
#include "backend/registry.h"

namespace roformer {
namespace {

class ProtectedMemory : public std::enable_shared_from_this<ProtectedMemory> {
 public:
  ProtectedMemory() : begin_(map()) {}
  ~ProtectedMemory() { munmap(begin_, kBytes); }
  ProtectedMemory(const ProtectedMemory&) = delete;
  ProtectedMemory& operator=(const ProtectedMemory&) = delete;

  std::shared_ptr<void> take(size_t bytes) {
    const size_t size = std::bit_ceil(std::max<size_t>(bytes, 64));
    const std::lock_guard lock(mutex_);
    std::vector<char*>& kept = free_[size];
    char* block = nullptr;
    if (!kept.empty()) {
      block = kept.back();
      kept.pop_back();
    } else {
      if (size > kBytes - used_) throw std::bad_alloc();
      block = begin_ + used_;
      used_ += size;
    }
    return {block, [self = shared_from_this(), size](void* back) {
              const std::lock_guard guard(self->mutex_);
              self->free_[size].push_back(static_cast<char*>(back));
            }};
  }

  // While an instance exists the pages are readable and writable.
  class Open {
   public:
    explicit Open(ProtectedMemory& memory) : memory_(memory) { memory_.count(1); }
    ~Open() { memory_.count(-1); }
    Open(const Open&) = delete;
    Open& operator=(const Open&) = delete;

   private:
    ProtectedMemory& memory_;
  };

 private:
  static constexpr size_t kBytes = size_t{1} << 28;

  static char* map() {
    void* const pages = mmap(nullptr, kBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (pages == MAP_FAILED) throw std::bad_alloc();
    return static_cast<char*>(pages);
  }

  void count(int more) {
    const std::lock_guard lock(mutex_);
    const bool before = open_ > 0;
    open_ += more;
    const bool now = open_ > 0;
    // Otherwise the tests would prove nothing.
    if (before != now && mprotect(begin_, kBytes, now ? PROT_READ | PROT_WRITE : PROT_NONE) != 0) std::terminate();
  }

  std::mutex mutex_;
  char* const begin_;
  size_t used_ = 0;
  int open_ = 0;
  std::map<size_t, std::vector<char*>> free_;
};

// from → to, of one shape.
void copy_rows(const Tensor& from, const Tensor& to) {
  const auto width = static_cast<size_t>(dtype_size(from.dtype()));
  const size_t row = static_cast<size_t>(from.columns()) * width;
  for (int64_t i = 0; row > 0 && i < from.rows(); ++i) {
    std::memcpy(static_cast<char*>(to.raw()) + static_cast<size_t>(i * to.row_stride()) * width,
                static_cast<const char*>(from.raw()) + static_cast<size_t>(i * from.row_stride()) * width, row);
  }
}

class ProtectedBackend final : public Backend {
 public:
  explicit ProtectedBackend(ThreadPool& threads) : inner_(make_reference_backend(threads)) {}

  std::string_view name() const override { return "protected"; }
  DType real() const override { return inner_->real(); }
  ThreadPool& pool() override { return inner_->pool(); }

  Device device() const override { return device_; }
  Tensor empty(Shape shape, DType dtype) override {
    const auto bytes = static_cast<size_t>(shape.elements() * dtype_size(dtype));
    return {memory_->take(bytes), dtype, shape, 0, device_};
  }
  Tensor from_host(const Tensor& x) override {
    const Tensor copy = empty(x.shape(), x.dtype());
    run([&] { copy_rows(x, in(copy)); });
    return copy;
  }
  Tensor to_host(const Tensor& x) override {
    const Tensor copy = Tensor::allocate(x.shape(), x.dtype());
    run([&] { copy_rows(in(x), copy); });
    return copy;
  }
  void write(const Tensor& x, const std::function<void(const Tensor& host)>& fill) override {
    const Tensor host = Tensor::allocate(x.shape(), x.dtype());
    fill(host);
    run([&] { copy_rows(host, in(x)); });
  }
  void synchronize() override {}

  void fill(const Tensor& x, double value) override {
    run([&] { inner_->fill(in(x), value); });
  }
  void copy(const Tensor& from, const Tensor& to) override {
    run([&] { inner_->copy(in(from), in(to)); });
  }
  void add(const Tensor& x, const Tensor& y) override {
    run([&] { inner_->add(in(x), in(y)); });
  }
  double squared_norm(std::span<const Tensor> tensors) override {
    std::vector<Tensor> all;
    for (const Tensor& x : tensors) all.push_back(in(x));
    return run([&] { return inner_->squared_norm(all); });
  }

  void embedding(const Tensor& table, std::span<const int32_t> ids, double factor, const Tensor& out,
                 bool accumulate) override {
    run([&] { inner_->embedding(in(table), ids, factor, in(out), accumulate); });
  }
  void embedding_backward(const Tensor& dout, std::span<const int32_t> ids, double factor,
                          const Tensor& dtable) override {
    run([&] { inner_->embedding_backward(in(dout), ids, factor, in(dtable)); });
  }

  void linear(const Tensor& x, const WeightView& weight, const Tensor& bias, Activation activation, const Tensor& out,
              const Tensor& before) override {
    run([&] { inner_->linear(in(x), in(weight), in(bias), activation, in(out), in(before)); });
  }
  void linear_backward_input(const Tensor& dout, const Tensor& weight, const Tensor& dx, bool accumulate) override {
    run([&] { inner_->linear_backward_input(in(dout), in(weight), in(dx), accumulate); });
  }
  void linear_backward_weight(const Tensor& dout, const Tensor& x, const Tensor& dweight,
                              const Tensor& dbias) override {
    run([&] { inner_->linear_backward_weight(in(dout), in(x), in(dweight), in(dbias)); });
  }
  void activation_backward(Activation activation, const Tensor& before, const Tensor& dout, const Tensor& dbefore,
                           const Tensor& out) override {
    run([&] { inner_->activation_backward(activation, in(before), in(dout), in(dbefore), in(out)); });
  }
  void gated(Activation activation, const Tensor& gate, const Tensor& x, const Tensor& out) override {
    run([&] { inner_->gated(activation, in(gate), in(x), in(out)); });
  }
  void gated_backward(Activation activation, const Tensor& gate, const Tensor& x, const Tensor& dout,
                      const Tensor& dgate, const Tensor& dx, const Tensor& out) override {
    run([&] { inner_->gated_backward(activation, in(gate), in(x), in(dout), in(dgate), in(dx), in(out)); });
  }

  void layer_norm(const Tensor& x, const Tensor& residual, const Dropout& dropped, const Tensor& gain,
                  const Tensor& bias, double epsilon, const Tensor& sum, const Tensor& statistics,
                  const Tensor& out) override {
    run([&] {
      inner_->layer_norm(in(x), in(residual), dropped, in(gain), in(bias), epsilon, in(sum), in(statistics), in(out));
    });
  }
  void layer_norm_backward(const Tensor& dout, const Tensor& sum, const Tensor& statistics, const Tensor& gain,
                           const Dropout& dropped, const Tensor& dsum, const Tensor& dx, const Tensor& dgain,
                           const Tensor& dbias) override {
    run([&] {
      inner_->layer_norm_backward(in(dout), in(sum), in(statistics), in(gain), dropped, in(dsum), in(dx), in(dgain),
                                  in(dbias));
    });
  }
  void rms_norm(const Tensor& x, const Tensor& residual, const Dropout& dropped, const Tensor& gain, double epsilon,
                const Tensor& sum, const Tensor& statistics, const Tensor& out) override {
    run([&] { inner_->rms_norm(in(x), in(residual), dropped, in(gain), epsilon, in(sum), in(statistics), in(out)); });
  }
  void rms_norm_backward(const Tensor& dout, const Tensor& sum, const Tensor& statistics, const Tensor& gain,
                         const Dropout& dropped, const Tensor& dsum, const Tensor& dx, const Tensor& dgain) override {
    run([&] {
      inner_->rms_norm_backward(in(dout), in(sum), in(statistics), in(gain), dropped, in(dsum), in(dx), in(dgain));
    });
  }
  void dropout(const Tensor& x, const Dropout& dropped, const Tensor& out) override {
    run([&] { inner_->dropout(in(x), dropped, in(out)); });
  }

  void rotate(const Tensor& x, int64_t heads, const RotaryAngles& angles, bool transposed) override {
    run([&] { inner_->rotate(in(x), heads, in(angles), transposed); });
  }
  void rotary_frequencies_backward(const Tensor& x, const Tensor& dx, int64_t heads, const RotaryAngles& angles,
                                   std::span<const int32_t> positions, const Tensor& logs,
                                   const Tensor& dlogs) override {
    run([&] { inner_->rotary_frequencies_backward(in(x), in(dx), heads, in(angles), positions, in(logs), in(dlogs)); });
  }
  void head_products(const Tensor& table, const Tensor& vector, int64_t heads, double factor, const Tensor& out,
                     bool accumulate) override {
    run([&] { inner_->head_products(in(table), in(vector), heads, factor, in(out), accumulate); });
  }
  void head_products_backward(const Tensor& table, const Tensor& vector, int64_t heads, double factor,
                              const Tensor& dout, const Tensor& dtable, const Tensor& dvector) override {
    run([&] {
      inner_->head_products_backward(in(table), in(vector), heads, factor, in(dout), in(dtable), in(dvector));
    });
  }
  void kerple_bias(const Tensor& logs, const Tensor& out) override {
    run([&] { inner_->kerple_bias(in(logs), in(out)); });
  }
  void kerple_bias_backward(const Tensor& logs, const Tensor& dout, const Tensor& dlogs) override {
    run([&] { inner_->kerple_bias_backward(in(logs), in(dout), in(dlogs)); });
  }

  void attention(const AttentionSpec& spec, const AttentionTensors& inputs, const Tensor& out,
                 const Tensor& log_sum_exp) override {
    run([&] { inner_->attention(in(spec), in(inputs), in(out), in(log_sum_exp)); });
  }
  void attention_backward(const AttentionSpec& spec, const AttentionTensors& inputs, const Tensor& out,
                          const Tensor& log_sum_exp, const Tensor& dout, const AttentionTensors& gradients,
                          const RelativeTerms& dterms) override {
    run([&] {
      inner_->attention_backward(in(spec), in(inputs), in(out), in(log_sum_exp), in(dout), in(gradients), in(dterms));
    });
  }
  void linear_attention(const LinearAttentionSpec& spec, const AttentionTensors& inputs, const Tensor& out,
                        const Tensor& denominators, const LinearAttentionState& state) override {
    const InLinear of(*this, spec);
    run([&] { inner_->linear_attention(of.spec, in(inputs), in(out), in(denominators), in(state)); });
  }
  void linear_attention_backward(const LinearAttentionSpec& spec, const AttentionTensors& inputs, const Tensor& out,
                                 const Tensor& denominators, const LinearAttentionState& state, const Tensor& dout,
                                 const AttentionTensors& gradients) override {
    const InLinear of(*this, spec);
    run([&] {
      inner_->linear_attention_backward(of.spec, in(inputs), in(out), in(denominators), in(state), in(dout),
                                        in(gradients));
    });
  }

  Loss cross_entropy(const Tensor& hidden, const WeightView& weight, const Tensor& bias, const LabelSpec& labels,
                     const Tensor& dhidden, const Tensor& dweight, const Tensor& dbias) override {
    return Loss(*this, run([&] {
      return inner_->cross_entropy(in(hidden), in(weight), in(bias), labels, in(dhidden), in(dweight), in(dbias))
          .read();
    }));
  }
  void pool(Pooling pooling, const Tensor& x, std::span<const int32_t> offsets, const Tensor& out,
            const Tensor& argmax) override {
    run([&] { inner_->pool(pooling, in(x), offsets, in(out), in(argmax)); });
  }
  void pool_backward(Pooling pooling, const Tensor& dout, std::span<const int32_t> offsets, const Tensor& argmax,
                     const Tensor& dx) override {
    run([&] { inner_->pool_backward(pooling, in(dout), offsets, in(argmax), in(dx)); });
  }
  void adamw(const AdamWStep& step, std::span<const AdamWTensors> tensors) override {
    std::vector<AdamWTensors> all;
    for (const AdamWTensors& x : tensors) {
      all.push_back({in(x.gradient), in(x.parameter), in(x.first_moment), in(x.second_moment), x.weight_decay});
    }
    run([&] { inner_->adamw(step, all); });
  }

 private:
  template <class Kernel>
  std::invoke_result_t<const Kernel&> run(const Kernel& kernel) {
    const ProtectedMemory::Open open(*memory_);
    return kernel();
  }

  // The same bytes as a tensor of the reference backend.
  Tensor in(const Tensor& x) const {
    if (!x.defined()) return {};
    const std::shared_ptr<void> lent(std::shared_ptr<void>(), x.address_on(device_));
    return {lent, x.dtype(), x.shape(), x.row_stride()};
  }
  WeightView in(const WeightView& x) const { return {in(x.rows), x.prepared, x.constant}; }
  AttentionTensors in(const AttentionTensors& x) const { return {in(x.q), in(x.k), in(x.v)}; }
  LinearAttentionState in(const LinearAttentionState& x) const { return {in(x.sums), in(x.totals)}; }
  RotaryAngles in(const RotaryAngles& x) const { return {x.layout, x.dim, in(x.cos), in(x.sin), x.row}; }
  RelativeTerms in(RelativeTerms terms) const {
    for (Tensor* x : {&terms.bias, &terms.query_table, &terms.key_table, &terms.value_table}) *x = in(*x);
    return terms;
  }
  AttentionSpec in(AttentionSpec spec) const {
    spec.terms = in(spec.terms);
    return spec;
  }
  struct InLinear {
    RotaryAngles query, key;
    LinearAttentionSpec spec;

    InLinear(const ProtectedBackend& backend, const LinearAttentionSpec& outer) : spec(outer) {
      spec.projection = backend.in(outer.projection);
      if (outer.query_angles == nullptr) return;
      query = backend.in(*outer.query_angles);
      key = backend.in(*outer.key_angles);
      spec.query_angles = &query;
      spec.key_angles = &key;
    }
    InLinear(const InLinear&) = delete;
    InLinear& operator=(const InLinear&) = delete;
  };

  const Device device_{"protected"};
  std::shared_ptr<ProtectedMemory> memory_ = std::make_shared<ProtectedMemory>();
  std::unique_ptr<Backend> inner_;
};

std::unique_ptr<Backend> make(ThreadPool& pool, Precision) { return std::make_unique<ProtectedBackend>(pool); }

}  // namespace
}  // namespace roformer

extern "C" __attribute__((visibility("default"))) const roformer::BackendEntry* roformer_backend() {
  static constexpr roformer::BackendEntry entry{roformer::kBackendInterface, "protected", roformer::make};
  return &entry;
}
