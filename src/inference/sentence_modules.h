// What a model directory of sentence-transformers (6.2 and the versions before) says beside the transformer itself,
// read whole: modules.json and the folders it names, the transformer's sentence_bert_config.json, and
// config_sentence_transformers.json; of cross-encoders also the keys that its versions 2 to 5 put into config.json.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "inference/embed.h"

namespace roformer {

struct SentenceModules {
  bool listed = false;                // there is a modules.json; without one only `activation` can be set
  std::vector<SentenceStep> steps;    // behind the transformer
  std::optional<int64_t> max_length;  // tokens, where one of these files says so
  bool lower_case = false;
  std::map<std::string, std::string> prompts = {{"query", ""}, {"document", ""}};
  std::optional<std::string> default_prompt;  // a name
  std::optional<int64_t> dimensions;          // "truncate_dim"
  Similarity similarity = Similarity::cosine;
  // What a cross-encoder does with its logits.
  std::optional<LogitActivation> activation = {};

  // Settings that are not understood and have no effect: the file, and a key of it.
  std::vector<std::pair<std::string, std::string>> ignored;
  // Why texts cannot be turned into vectors as the directory says, and pairs into scores: messages; empty if they can.
  std::string unsupported, unsupported_activation;
};

// `directory` as given by the user: with modules.json, if there is one. DataError for malformed files, FileError for
// missing ones.
SentenceModules read_sentence_modules(const std::string& directory);

// The names of its prompts for a message: "document", "query".
std::string prompt_names(const SentenceModules& modules);

}  // namespace roformer
