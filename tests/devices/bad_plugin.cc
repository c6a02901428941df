// A plug-in with one defect, chosen by the build.
#include "backend/registry.h"

namespace roformer {
namespace {

std::unique_ptr<Backend> make_nothing(ThreadPool&, Precision) { return nullptr; }

}  // namespace
}  // namespace roformer

extern "C" __attribute__((visibility("default"))) const roformer::BackendEntry* ROFORMER_PLUGIN_FUNCTION() {
  static constexpr roformer::BackendEntry entry{ROFORMER_PLUGIN_INTERFACE, ROFORMER_PLUGIN_NAME,
                                                roformer::make_nothing};
  return &entry;
}
