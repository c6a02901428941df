// The names of tensors in weight files: wrappers before them, and what is nearest to a name that is missing.
#pragma once

#include <span>
#include <string>

#include "models/loading_plan.h"

namespace roformer {

// Removes what a wrapper of the model ("module.", "_orig_mod.", "model." before "bert.", ...) put before the names, and
// returns it; empty if nothing. It is what stands before the word embeddings, or else the output weights, of `family`,
// or of any if that is null; names without it stay as they are. Also removes the wrappers of parts of the model
// ("_orig_mod." of a layer). DataError for tensors of several models, and for two that get one name.
std::string remove_wrapper(AvailableTensors& tensors, const std::string& source, const Family* family);

// The tensor whose name is nearest to `name`, rather one for which `taken` is false; null if there is none.
const AvailableTensor* nearest_tensor(const std::string& name, std::span<const AvailableTensor> tensors,
                                      const std::vector<bool>& taken);

}  // namespace roformer
