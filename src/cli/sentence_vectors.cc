#include "cli/sentence_vectors.h"

#include "base/error.h"
#include "inference/sentence_settings.h"

namespace roformer {

void add_vector_options(OptionSet& set, VectorOptions& options, bool tokens) {
  std::vector<std::string> poolings = {"auto"};
  poolings.insert(poolings.end(), pooling_names().begin(), pooling_names().end());
  if (tokens) poolings.emplace_back(kTokenVectors);
  set.add_choice("--pooling", options.pooling, poolings,
                 std::string("how the vectors of the tokens become one; auto = what the model directory says "
                             "(1_Pooling/config.json), else the pooler of a RoFormer-Sim, else mean") +
                     (tokens ? "; none = the vectors of all tokens" : ""));
  set.add("--normalize", options.normalize,
          "scale each vector to length 1 (default: what the model directory says in modules.json, else not)");
  add_max_length(set, options.max_length);
}

SentenceVectors sentence_vectors(const VectorOptions& options, const Model& model, const std::string& directory) {
  const SentenceSettings settings = read_sentence_settings(directory);
  const bool chosen = options.pooling != "auto";
  if (!chosen && !settings.unsupported.empty()) throw DataError("{} (--pooling overrules it)", settings.unsupported);
  const TextPooling pooling =
      chosen ? parse_pooling(options.pooling) : settings.pooling.value_or(default_pooling(model.config()));
  if (pooling == TextPooling::pooler && !model.has_pooler()) {
    throw DataError("{}: the model has no pooler, expected --pooling cls, mean or max", directory);
  }
  return {.embed = {.pooling = pooling, .normalize = options.normalize.value_or(settings.normalize)},
          .max_length = options.max_length.value_or(settings.max_length.value_or(0))};
}

int64_t token_vectors_max_length(const VectorOptions& options, const std::string& directory) {
  return options.max_length.value_or(read_sentence_settings(directory).max_length.value_or(0));
}

}  // namespace roformer
