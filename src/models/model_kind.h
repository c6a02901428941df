// Family and head of a model: what config.json names, checked against the tensors of the file, and found by them where
// it names nothing, something unknown, or more than the file holds.
#pragma once

#include <string>
#include <vector>

#include "models/loading_plan.h"

namespace roformer {

// What config.json itself says.
struct NamedKind {
  const Family* family = nullptr;  // of "model_type", else of a known architecture; null if neither
  std::optional<Head> head;        // of a known architecture
  std::string architecture;        // the first of "architectures"; empty if there is none
};
// DataError for an unknown "model_type", and for an architecture of another family.
NamedKind named_kind(const JsonObject& json);
[[noreturn]] void refuse_architecture(const JsonObject& json);  // as none of the known

struct DecidedKind {
  ModelKind kind;
  std::string family_reason, head_reason;  // why it is what config.json does not name; empty if it does
  std::string missing_head;                // why there is no head though config.json or the file has (part of) one
  std::vector<std::string> warnings;
};
// `tensors` have no wrapper before their names (models/weight_names.h). Errors as of named_kind and read_config.
DecidedKind decide_kind(const JsonObject& json, const AvailableTensors& tensors, const std::string& source);

// Sets what only tensor names tell: the pooler, and what the family's table says.
void complete_from_names(ModelConfig& config, const AvailableTensors& tensors);

}  // namespace roformer
