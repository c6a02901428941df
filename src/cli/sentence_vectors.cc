#include "cli/sentence_vectors.h"

namespace roformer {

void add_vector_options(OptionSet& set, VectorOptions& options) {
  std::vector<std::string> poolings = {"auto"};
  poolings.insert(poolings.end(), pooling_names().begin(), pooling_names().end());
  set.add_choice("--pooling", options.pooling, poolings,
                 "how the vectors of the tokens become one; auto = what the model directory says "
                 "(1_Pooling/config.json), else the pooler of a RoFormer-Sim, else mean");
  set.add("--normalize", options.normalize,
          "scale each vector to length 1 (default: what the model directory says in modules.json, else not)");
  add_max_length(set, options.max_length);
}

SentenceVectors sentence_vectors(const VectorOptions& options, const Model& model, const std::string& directory) {
  SentenceChoice choice{.pooling = {}, .normalize = options.normalize, .max_length = options.max_length};
  if (options.pooling != "auto") choice.pooling = parse_pooling(options.pooling);
  return sentence_vectors(choice, read_sentence_settings(directory), model);
}

}  // namespace roformer
