#include "backend/cpu/gemm.h"

#include <dnnl.h>

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

}  // namespace

void gemm(int64_t m, int64_t n, int64_t k, float alpha, Matrix a, Matrix b, float beta, float* c, int64_t c_stride) {
  if (m == 0 || n == 0) return;
  const OneOpenMpThread single;
  const dnnl_status_t status = dnnl_sgemm(a.transposed ? 'T' : 'N', b.transposed ? 'T' : 'N', m, n, k, alpha, a.data,
                                          a.stride, b.data, b.stride, beta, c, c_stride);
  if (status != dnnl_success) {
    throw DataError("oneDNN refused a matrix product {}x{}x{} (status {})", m, n, k, static_cast<int>(status));
  }
}

}  // namespace roformer
