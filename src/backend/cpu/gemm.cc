#include "backend/cpu/gemm.h"

#include <dnnl.h>

#include <algorithm>

#include "base/error.h"

// Of <omp.h>, which clang has only together with another runtime than oneDNN's.
extern "C" int omp_get_max_threads();
extern "C" void omp_set_num_threads(int);

namespace roformer {

namespace {

// oneDNN's own pool must not run inside our tasks. The number belongs to the thread, which may be the user's: put back.
class OneOpenMpThread {
 public:
  OneOpenMpThread() : before_(omp_get_max_threads()) {
    if (before_ != 1) omp_set_num_threads(1);
  }
  ~OneOpenMpThread() {
    if (before_ != 1) omp_set_num_threads(before_);
  }
  OneOpenMpThread(const OneOpenMpThread&) = delete;
  OneOpenMpThread& operator=(const OneOpenMpThread&) = delete;

 private:
  int before_;
};

void multiply(int64_t m, int64_t n, int64_t k, float alpha, Matrix a, Matrix b, float beta, float* c,
              int64_t c_stride) {
  const dnnl_status_t status = dnnl_sgemm(a.transposed ? 'T' : 'N', b.transposed ? 'T' : 'N', m, n, k, alpha, a.data,
                                          a.stride, b.data, b.stride, beta, c, c_stride);
  if (status != dnnl_success) {
    throw DataError("oneDNN refused a matrix product {}x{}x{} (status {})", m, n, k, static_cast<int>(status));
  }
}

}  // namespace

bool packs_transposed() {
  static const bool packs = (dnnl_get_effective_cpu_isa() & dnnl_cpu_isa_avx512_core) == dnnl_cpu_isa_avx512_core;
  return packs;
}

void gemm(int64_t m, int64_t n, int64_t k, float alpha, Matrix a, Matrix b, float beta, float* c, int64_t c_stride) {
  // oneDNN 2.6 and AVX-512: below 16 rows a transposed b is read where it lies; from 16 on each call packs it, which
  // costs up to four fifths of the time. Blocks of 12 rows avoid that, of as many columns as stay in the nearest cache;
  // with many rows, or of short ones, packing pays. kernel_bench, BM_Linear.
  constexpr int64_t kPacked = 16, kManyRows = 256, kShort = 128, kRows = 12, kCached = 1 << 17;
  if (m == 0 || n == 0) return;
  const OneOpenMpThread single;
  if (a.transposed || !b.transposed || m < kPacked || m >= kManyRows || k < kShort || !packs_transposed()) {
    return multiply(m, n, k, alpha, a, b, beta, c, c_stride);
  }
  const int64_t columns = std::max<int64_t>(16, kCached / k / 16 * 16);
  for (int64_t j = 0; j < n; j += columns) {
    for (int64_t i = 0; i < m; i += kRows) {
      multiply(std::min(kRows, m - i), std::min(columns, n - j), k, alpha, {a.data + i * a.stride, a.stride, false},
               {b.data + j * b.stride, b.stride, true}, beta, c + i * c_stride + j, c_stride);
    }
  }
}

}  // namespace roformer
