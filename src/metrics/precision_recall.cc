#include "metrics/precision_recall.h"

namespace roformer {
namespace {

double share(int64_t part, int64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

}  // namespace

PrecisionRecall precision_recall(int64_t matched, int64_t predicted, int64_t gold) {
  return {.precision = share(matched, predicted),
          .recall = share(matched, gold),
          .f1 = share(2 * matched, predicted + gold),
          .support = gold};
}

}  // namespace roformer
