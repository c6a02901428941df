// Pointwise row kernels: sums, activations, dropout factors, the AdamW update.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/cpu/rows/pointwise.cc"
#include "hwy/foreach_target.h"
// after foreach_target.h
#include "backend/cpu/rows/activation-inl.h"
#include "backend/cpu/rows/rows.h"
#include "backend/cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace roformer::rows::HWY_NAMESPACE {

template <class D, class V>
HWY_INLINE V slope(D d, Activation activation, V x) {
  const V one = hn::Set(d, 1.0f);
  switch (activation) {
    case Activation::gelu: {  // Φ(x) + x·φ(x)
      const V density = hn::Mul(hn::Exp(d, hn::Mul(hn::Mul(x, x), hn::Set(d, -0.5f))), hn::Set(d, 0.39894228f));
      return hn::MulAdd(x, density, normal_cdf(d, x));
    }
    case Activation::gelu_tanh: {  // σ + x·σ·(1 − σ)·rise
      const GeluTanh<V> gelu(d, x);
      const V s = logistic(d, gelu.inner);
      return hn::MulAdd(hn::Mul(hn::Mul(x, gelu.rise), s), hn::Sub(one, s), s);
    }
    case Activation::relu: return hn::IfThenElse(hn::Gt(x, hn::Zero(d)), one, hn::Zero(d));
    case Activation::silu: {  // σ + x·σ·(1 − σ)
      const V s = logistic(d, x);
      return hn::MulAdd(hn::Mul(x, s), hn::Sub(one, s), s);
    }
    case Activation::tanh: {
      const V t = hn::Tanh(d, x);
      return hn::NegMulAdd(t, t, one);
    }
    case Activation::none: break;
  }
  return one;
}

void Add(const float* x, float* y, int64_t n) {
  for_lanes(n, [&](auto d, int64_t i) { hn::StoreU(hn::Add(hn::LoadU(d, x + i), hn::LoadU(d, y + i)), d, y + i); });
}

void Sum(const float* x, const float* y, float* out, int64_t n) {
  for_lanes(n, [&](auto d, int64_t i) { hn::StoreU(hn::Add(hn::LoadU(d, x + i), hn::LoadU(d, y + i)), d, out + i); });
}

void Scale(float* x, float factor, int64_t n) {
  for_lanes(n, [&](auto d, int64_t i) { hn::StoreU(hn::Mul(hn::LoadU(d, x + i), hn::Set(d, factor)), d, x + i); });
}

void ScaleAndShift(float* x, float factor, float term, int64_t n) {
  for_lanes(n, [&](auto d, int64_t i) {
    hn::StoreU(hn::MulAdd(hn::LoadU(d, x + i), hn::Set(d, factor), hn::Set(d, term)), d, x + i);
  });
}

void Multiply(const float* x, const float* y, float* out, int64_t n) {
  for_lanes(n, [&](auto d, int64_t i) { hn::StoreU(hn::Mul(hn::LoadU(d, x + i), hn::LoadU(d, y + i)), d, out + i); });
}

double SquaredSum(const float* x, int64_t n) {
  double sum = 0;
  for (int64_t begin = 0; begin < n; begin += 4096) {
    const int64_t count = n - begin < 4096 ? n - begin : 4096;
    sum += sum_lanes(count, [&](auto d, int64_t i) {
      const auto v = hn::LoadU(d, x + begin + i);
      return hn::Mul(v, v);
    });
  }
  return sum;
}

template <Activation kind>
HWY_INLINE void bias_activation_of(const float* bias, float* before, float* out, int64_t n) {
  for_lanes(n, [&](auto d, int64_t i) {
    auto v = hn::LoadU(d, before + i);
    if (bias != nullptr) v = hn::Add(v, hn::LoadU(d, bias + i));
    hn::StoreU(v, d, before + i);
    hn::StoreU(activate(d, kind, v), d, out + i);
  });
}

void BiasActivation(Activation activation, const float* bias, float* before, float* out, int64_t n) {
  switch (activation) {
    case Activation::none: return bias_activation_of<Activation::none>(bias, before, out, n);
    case Activation::gelu: return bias_activation_of<Activation::gelu>(bias, before, out, n);
    case Activation::gelu_tanh: return bias_activation_of<Activation::gelu_tanh>(bias, before, out, n);
    case Activation::relu: return bias_activation_of<Activation::relu>(bias, before, out, n);
    case Activation::silu: return bias_activation_of<Activation::silu>(bias, before, out, n);
    case Activation::tanh: return bias_activation_of<Activation::tanh>(bias, before, out, n);
  }
}

template <Activation kind>
HWY_INLINE void activation_backward_of(const float* before, const float* dout, float* dbefore, float* out, int64_t n) {
  for_lanes(n, [&](auto d, int64_t i) {
    const auto x = hn::LoadU(d, before + i);
    hn::StoreU(hn::Mul(hn::LoadU(d, dout + i), slope(d, kind, x)), d, dbefore + i);
    if (out != nullptr) hn::StoreU(activate(d, kind, x), d, out + i);
  });
}

void ActivationBackward(Activation activation, const float* before, const float* dout, float* dbefore, float* out,
                        int64_t n) {
  switch (activation) {
    case Activation::none: return activation_backward_of<Activation::none>(before, dout, dbefore, out, n);
    case Activation::gelu: return activation_backward_of<Activation::gelu>(before, dout, dbefore, out, n);
    case Activation::gelu_tanh: return activation_backward_of<Activation::gelu_tanh>(before, dout, dbefore, out, n);
    case Activation::relu: return activation_backward_of<Activation::relu>(before, dout, dbefore, out, n);
    case Activation::silu: return activation_backward_of<Activation::silu>(before, dout, dbefore, out, n);
    case Activation::tanh: return activation_backward_of<Activation::tanh>(before, dout, dbefore, out, n);
  }
}

template <Activation kind>
HWY_INLINE void gated_of(const float* gate, const float* x, float* out, int64_t n) {
  for_lanes(n, [&](auto d, int64_t i) {
    hn::StoreU(hn::Mul(activate(d, kind, hn::LoadU(d, gate + i)), hn::LoadU(d, x + i)), d, out + i);
  });
}

void Gated(Activation activation, const float* gate, const float* x, float* out, int64_t n) {
  switch (activation) {
    case Activation::none: return gated_of<Activation::none>(gate, x, out, n);
    case Activation::gelu: return gated_of<Activation::gelu>(gate, x, out, n);
    case Activation::gelu_tanh: return gated_of<Activation::gelu_tanh>(gate, x, out, n);
    case Activation::relu: return gated_of<Activation::relu>(gate, x, out, n);
    case Activation::silu: return gated_of<Activation::silu>(gate, x, out, n);
    case Activation::tanh: return gated_of<Activation::tanh>(gate, x, out, n);
  }
}

template <Activation kind>
HWY_INLINE void gated_backward_of(const GatedInputs& in, const GatedGradients& gradients, int64_t n) {
  for_lanes(n, [&](auto d, int64_t i) {
    const auto gate = hn::LoadU(d, in.gate + i), x = hn::LoadU(d, in.x + i), dout = hn::LoadU(d, in.dout + i);
    const auto open = activate(d, kind, gate);
    hn::StoreU(hn::Mul(hn::Mul(dout, x), slope(d, kind, gate)), d, gradients.gate + i);
    hn::StoreU(hn::Mul(dout, open), d, gradients.x + i);
    hn::StoreU(hn::Mul(open, x), d, gradients.out + i);
  });
}

void GatedBackward(Activation activation, const GatedInputs& in, const GatedGradients& gradients, int64_t n) {
  switch (activation) {
    case Activation::none: return gated_backward_of<Activation::none>(in, gradients, n);
    case Activation::gelu: return gated_backward_of<Activation::gelu>(in, gradients, n);
    case Activation::gelu_tanh: return gated_backward_of<Activation::gelu_tanh>(in, gradients, n);
    case Activation::relu: return gated_backward_of<Activation::relu>(in, gradients, n);
    case Activation::silu: return gated_backward_of<Activation::silu>(in, gradients, n);
    case Activation::tanh: return gated_backward_of<Activation::tanh>(in, gradients, n);
  }
}

#if HWY_TARGET == HWY_SCALAR
void DropoutFactors(const Dropout& dropout, uint32_t row, int64_t first, int64_t n, float* factors) {
  const float scale = static_cast<float>(dropout.scale());
  for (int64_t c = 0; c < n; ++c) factors[c] = dropout.keeps(row, static_cast<uint32_t>(first + c)) ? scale : 0.0f;
}
#else
// Philox4x32-10 as in base/random.h, one 64-bit lane a block: MulEven multiplies the low halves, so the high halves of
// the lanes are ignored between rounds. Two vectors of blocks, a and b, hide the latency of the multiplications.
void DropoutFactors(const Dropout& dropout, uint32_t row, int64_t first, int64_t n, float* factors) {
  const hn::CappedTag<uint64_t, 8> d64;
  const hn::Repartition<uint32_t, decltype(d64)> d32;
  const hn::Rebind<uint32_t, decltype(d64)> half;
  const hn::Rebind<float, decltype(half)> df;
  using Blocks = hn::Vec<decltype(d64)>;
  const size_t lanes = hn::Lanes(d64);
  const auto m0 = hn::Set(d32, 0xD2511F53), m1 = hn::Set(d32, 0xCD9E8D57);
  const auto threshold = hn::Set(half, dropout.threshold());
  const auto scale = hn::Set(df, static_cast<float>(dropout.scale()));
  const auto s2 = hn::Set(d64, dropout.stream.stream & 0xFFFFFFFFu), s3 = hn::Set(d64, dropout.stream.stream >> 32);
  const auto mix = [&](Blocks& c0, Blocks& c1, Blocks& c2, Blocks& c3, uint32_t k0, uint32_t k1) HWY_ATTR {
    const auto p0 = hn::MulEven(m0, hn::BitCast(d32, c0)), p1 = hn::MulEven(m1, hn::BitCast(d32, c2));
    c0 = hn::Xor(hn::Xor(hn::ShiftRight<32>(p1), c1), hn::Set(d64, uint64_t{k0}));
    c2 = hn::Xor(hn::Xor(hn::ShiftRight<32>(p0), c3), hn::Set(d64, uint64_t{k1}));
    c1 = p1;
    c3 = p0;
  };
  const auto store = [&](Blocks words, float* out) HWY_ATTR {
    const auto survives = hn::Not(hn::Lt(hn::TruncateTo(half, words), threshold));
    hn::StoreU(hn::IfThenElseZero(hn::RebindMask(df, survives), scale), df, out);
  };
  for (int64_t group = 0; group * 64 < n; ++group) {
    for (size_t lane = 0; lane < 16; lane += 2 * lanes) {
      auto a0 = hn::Iota(d64, static_cast<uint64_t>(first / 4 + group * 16) + lane), a1 = hn::Set(d64, uint64_t{row});
      auto b0 = hn::Add(a0, hn::Set(d64, uint64_t{lanes})), b1 = a1;
      auto a2 = s2, b2 = s2, a3 = s3, b3 = s3;
      uint32_t k0 = static_cast<uint32_t>(dropout.stream.seed), k1 = static_cast<uint32_t>(dropout.stream.seed >> 32);
      for (int round = 0; round < 10; ++round) {
        mix(a0, a1, a2, a3, k0, k1);
        mix(b0, b1, b2, b3, k0, k1);
        k0 += 0x9E3779B9;
        k1 += 0xBB67AE85;
      }
      float* const out = factors + group * 64 + lane;
      store(a0, out);
      store(a1, out + 16);
      store(a2, out + 32);
      store(a3, out + 48);
      store(b0, out + lanes);
      store(b1, out + lanes + 16);
      store(b2, out + lanes + 32);
      store(b3, out + lanes + 48);
    }
  }
}

#endif

void AdamW(const AdamWFactors& f, const float* gradient, float* parameter, float* m, float* v, int64_t n) {
  for_lanes(n, [&](auto d, int64_t i) {
    const auto g = hn::Mul(hn::LoadU(d, gradient + i), hn::Set(d, f.gradient_scale));
    const auto m_new = hn::MulAdd(hn::Set(d, f.beta1), hn::LoadU(d, m + i), hn::Mul(hn::Set(d, 1 - f.beta1), g));
    const auto v_new =
        hn::MulAdd(hn::Set(d, f.beta2), hn::LoadU(d, v + i), hn::Mul(hn::Set(d, 1 - f.beta2), hn::Mul(g, g)));
    hn::StoreU(m_new, d, m + i);
    hn::StoreU(v_new, d, v + i);
    const auto divisor = hn::MulAdd(hn::Sqrt(v_new), hn::Set(d, f.root_correction), hn::Set(d, f.epsilon));
    const auto decayed = hn::Mul(hn::LoadU(d, parameter + i), hn::Set(d, f.decay));
    hn::StoreU(hn::NegMulAdd(hn::Set(d, f.step_size), hn::Div(m_new, divisor), decayed), d, parameter + i);
  });
}

const char* TargetName() { return hwy::TargetName(HWY_TARGET); }

}  // namespace roformer::rows::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace roformer::rows {
HWY_EXPORT(Add);
HWY_EXPORT(Sum);
HWY_EXPORT(Scale);
HWY_EXPORT(ScaleAndShift);
HWY_EXPORT(Multiply);
HWY_EXPORT(SquaredSum);
HWY_EXPORT(BiasActivation);
HWY_EXPORT(ActivationBackward);
HWY_EXPORT(Gated);
HWY_EXPORT(GatedBackward);
HWY_EXPORT(DropoutFactors);
HWY_EXPORT(AdamW);
HWY_EXPORT(TargetName);

void add(const float* x, float* y, int64_t n) { HWY_DYNAMIC_DISPATCH(Add)(x, y, n); }
void sum(const float* x, const float* y, float* out, int64_t n) { HWY_DYNAMIC_DISPATCH(Sum)(x, y, out, n); }
void scale(float* x, float factor, int64_t n) { HWY_DYNAMIC_DISPATCH(Scale)(x, factor, n); }
void scale_and_shift(float* x, float factor, float term, int64_t n) {
  HWY_DYNAMIC_DISPATCH(ScaleAndShift)(x, factor, term, n);
}
void multiply(const float* x, const float* y, float* out, int64_t n) { HWY_DYNAMIC_DISPATCH(Multiply)(x, y, out, n); }
double squared_sum(const float* x, int64_t n) { return HWY_DYNAMIC_DISPATCH(SquaredSum)(x, n); }
void bias_activation(Activation activation, const float* bias, float* before, float* out, int64_t n) {
  HWY_DYNAMIC_DISPATCH(BiasActivation)(activation, bias, before, out, n);
}
void activation_backward(Activation activation, const float* before, const float* dout, float* dbefore, float* out,
                         int64_t n) {
  HWY_DYNAMIC_DISPATCH(ActivationBackward)(activation, before, dout, dbefore, out, n);
}
void gated(Activation activation, const float* gate, const float* x, float* out, int64_t n) {
  HWY_DYNAMIC_DISPATCH(Gated)(activation, gate, x, out, n);
}
void gated_backward(Activation activation, const GatedInputs& in, const GatedGradients& gradients, int64_t n) {
  HWY_DYNAMIC_DISPATCH(GatedBackward)(activation, in, gradients, n);
}
void dropout_factors(const Dropout& dropout, uint32_t row, int64_t first, int64_t n, float* factors) {
  HWY_DYNAMIC_DISPATCH(DropoutFactors)(dropout, row, first, n, factors);
}
void adamw(const AdamWFactors& f, const float* gradient, float* parameter, float* m, float* v, int64_t n) {
  HWY_DYNAMIC_DISPATCH(AdamW)(f, gradient, parameter, m, v, n);
}
const char* target_name() { return HWY_DYNAMIC_DISPATCH(TargetName)(); }
}  // namespace roformer::rows
#endif
