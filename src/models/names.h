// What the files of a family call its parameters.
#pragma once

#include <string>

#include "models/config.h"

namespace roformer {

// Layers call their parameters as a RoFormer's files do, below trunk_name(family); RoFormers and BERTs keep that name,
// a Llama's "model.encoder.layer.0.attention.self.query.weight" is "model.layers.0.self_attn.q_proj.weight".
std::string name_in_files(Family family, std::string name);

}  // namespace roformer
