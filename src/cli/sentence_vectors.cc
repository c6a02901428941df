#include "cli/sentence_vectors.h"

namespace roformer {

void add_vector_options(OptionSet& set, VectorOptions& options, bool tokens) {
  std::vector<std::string> poolings = {"auto"};
  poolings.insert(poolings.end(), pooling_names().begin(), pooling_names().end());
  if (tokens) poolings.emplace_back(kTokenVectors);
  set.add_choice("--pooling", options.pooling, poolings,
                 std::string("how token vectors are pooled; auto = the model directory's setting "
                             "(1_Pooling/config.json), else the pooler for RoFormer-Sim, else mean") +
                     (tokens ? "; none = not pooled, the vectors of all tokens" : ""));
  set.add("--normalize", options.normalize,
          "scale each vector to length 1 (default: as modules.json of the model directory says, else not)");
  add_max_length(set, options.max_length);
}

SentenceVectors sentence_vectors(const VectorOptions& options, const Model& model, const std::string& directory) {
  SentenceChoice choice{.pooling = {}, .normalize = options.normalize, .max_length = options.max_length};
  if (options.pooling != "auto") choice.pooling = parse_pooling(options.pooling);
  return sentence_vectors(choice, read_sentence_settings(directory), model);
}

int64_t token_vectors_max_length(const VectorOptions& options, const std::string& directory) {
  return options.max_length.value_or(read_sentence_settings(directory).max_length.value_or(0));
}

}  // namespace roformer
