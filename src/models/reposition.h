// Gives a trained model another position encoding, other parameters of the one it has, or a position table of another
// length, before its weights are read: how RoFormer itself was made from WoBERT (Su et al. 2021, 4.5).
#pragma once

#include <string>
#include <vector>

#include "models/found_model.h"

namespace roformer {

struct Repositioning {
  bool anew = false;  // parameters of the new encoding start anew, with LoadingPlan::Fit::trunk_anew
  // What was replaced, one sentence each; empty if nothing was.
  std::vector<std::string> notices;
};

// `config`, complete, is that of `model` with other positions, and with a family that can express them. The tensors get
// the names of that family. Parameters of the encoding are kept where it is the same, and dropped elsewhere. A table of
// learned rows that is longer than before repeats the trained ones (Beltagy et al. 2020, Longformer); a shorter one has
// the first. UsageError for another length of hierarchical positions, as their rows would mean something else.
Repositioning reposition(FoundModel& model, const ModelConfig& config);

}  // namespace roformer
