#include "cli/sentence_vectors.h"

#include <fmt/ranges.h>

#include <iostream>
#include <map>

#include "base/json.h"

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
  set.add("--prompt-name", options.prompt_name,
          "put this prompt of config_sentence_transformers.json before each text (default: its default_prompt_name)",
          "NAME");
  set.add("--prompt", options.prompt, "put this text before each text; empty = no prompt");
  constexpr int64_t kMaxDimensions = 1 << 24;
  set.add("--dimensions", options.dimensions,
          "keep only the first dimensions of each vector (Matryoshka); --normalize acts after it", {1, kMaxDimensions});
  add_max_length(set, options.max_length);
}

SentenceChoice sentence_choice(const VectorOptions& options) {
  SentenceChoice choice{.normalize = options.normalize,
                        .max_length = options.max_length,
                        .prompt = options.prompt,
                        .prompt_name = options.prompt_name,
                        .dimensions = options.dimensions};
  if (options.pooling != "auto" && options.pooling != kTokenVectors) choice.pooling = parse_pooling(options.pooling);
  return choice;
}

SentenceModules sentence_modules_of(const std::string& directory) {
  SentenceModules modules = read_sentence_modules(directory);
  std::map<std::string, std::vector<std::string>> files;
  for (const auto& [file, key] : modules.ignored) files[file].push_back(quote(key));
  for (const auto& [file, keys] : files) {
    std::cerr << fmt::format("roformer: {}: not understood and ignored: {}\n", file, fmt::join(keys, ", "));
  }
  return modules;
}

}  // namespace roformer
