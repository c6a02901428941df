#include "tasks/pooling.h"

#include "base/error.h"
#include "base/inapplicable_error.h"
#include "models/families/family.h"

namespace roformer {

const std::vector<std::string>& classifier_pooling_names() {
  static const std::vector<std::string> names = {"auto", "first", "mean", "last"};
  return names;
}

void set_pooling(const std::string& name, const Task& task, ModelConfig& config) {
  if (config.head != Head::sequence_classification) {
    if (name == "auto") return;
    throw InapplicableError("{} has no effect on {}", FieldName("pooling"), kind_name(task.kind));
  }
  if (name == "auto" && task.kind != TaskKind::triplet) return;
  config.classifier_pooling = name == "first" ? Summary::first : name == "last" ? Summary::last : Summary::mean;
  if (config.family->any_positions != nullptr) config.family = config.family->any_positions;
}

}  // namespace roformer
