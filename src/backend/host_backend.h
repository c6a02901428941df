// What backends that compute on the host share: transfers without copies, and the small kernels of position encodings,
// which are not worth a fast version.
#pragma once

#include "backend/backend.h"

namespace roformer {

class HostBackend : public Backend {
 public:
  Device device() const final { return {}; }
  Tensor zeros(Shape shape) override;
  Tensor from_host(const Tensor& x) override;
  Tensor to_host(const Tensor& x) override;
  void write(const Tensor& x, const std::function<void(const Tensor& host)>& fill) override;
  void synchronize() override {}

  // position_terms.cc
  void rotary_frequencies_backward(const Tensor& x, const Tensor& dx, int64_t heads, const RotaryAngles& angles,
                                   std::span<const int32_t> positions, const Tensor& logs,
                                   const Tensor& dlogs) override;
  void head_products(const Tensor& table, const Tensor& vector, int64_t heads, double factor, const Tensor& out,
                     bool accumulate) override;
  void head_products_backward(const Tensor& table, const Tensor& vector, int64_t heads, double factor,
                              const Tensor& dout, const Tensor& dtable, const Tensor& dvector) override;
  void kerple_bias(const Tensor& logs, const Tensor& out) override;
  void kerple_bias_backward(const Tensor& logs, const Tensor& dout, const Tensor& dlogs) override;
};

}  // namespace roformer
