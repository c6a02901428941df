// A tiny model with random weights and a given head, over the byte tokenizer's vocabulary.
#pragma once

#include <memory>

#include "backend/backend.h"
#include "models/model.h"
#include "text/learn/train.h"

namespace roformer {

inline Model random_model(Backend& backend, int64_t vocabulary, Head head, std::vector<std::string> labels = {"a", "b"},
                          Problem problem = Problem::single_label) {
  ModelConfig config;
  config.vocabulary = vocabulary;
  config.hidden = config.embedding = 8;
  config.layers = 1;
  config.heads = 2;
  config.intermediate = 12;
  config.initializer_range = 0.5;
  config.head = head;
  config.labels = std::move(labels);
  config.problem = problem;
  complete(config, "");
  Model model(backend, config, false);
  model.initialize({1, 0});
  return model;
}

}  // namespace roformer
