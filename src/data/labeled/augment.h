// More triplets from triplets, as by the second place of CAIL2019-SCM (github.com/padeoe/cail2019).
#pragma once

#include <span>
#include <vector>

#include "data/labeled/example.h"

namespace roformer {

// Which triplets are added to (A, B, C), where A is more similar to B than to C.
struct TripletAugmentation {
  bool reflexive = true;      // (C, C, A): nothing is more similar to a text than itself
  bool exchanged = true;      // (B, A, C): presumed, because similarity is symmetric
  bool antisymmetric = true;  // the mirror image (A, C, B), of choice 1, of each of these
};

// Each triplet, followed by those added to it: five by default. ShapeError for examples that are no labeled triplets.
std::vector<Example> augment_triplets(std::span<const Example> examples, const TripletAugmentation& kinds = {});

}  // namespace roformer
