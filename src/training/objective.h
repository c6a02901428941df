// What is trained: where the micro-batches of a step come from and what their loss is. The trainer knows nothing else
// of it.
#pragma once

#include <cstdint>
#include <optional>

#include "base/json.h"
#include "models/model.h"

namespace roformer {

struct Evaluation {
  double loss = 0;      // mean over labels, in nats
  double accuracy = 0;  // share of labels that had the largest logit
  int64_t labels = 0;
  std::optional<double> perplexity = {};  // exp(loss), of objectives whose loss is that of a text
  // Likewise the loss of all labels in bits, a character of what they stand for; of no characters none.
  std::optional<double> bits_per_character = {};
};

class Objective {
 public:
  virtual ~Objective() = default;

  // Assembles the micro-batches of a step. Steps come one after the other, from 1 or from the one after resume().
  virtual void prepare(int64_t step) = 0;
  // Where the data is after the last step that was prepared: what resume() needs to go on from there.
  virtual Json place() const = 0;
  virtual void resume(const JsonObject& place) = 0;
  // Seconds that prepare() has waited for data in all.
  virtual double waited() const { return 0; }
  virtual int64_t micro_batches() const = 0;
  virtual int64_t labels() const = 0;  // over all micro-batches of the prepared step
  virtual int64_t tokens() const = 0;  // likewise

  // Forward pass of one prepared micro-batch; with a tape in the context its backward starts from `gradient_scale`.
  virtual Loss forward(const Context& context, int64_t micro_batch, double gradient_scale) = 0;

  virtual Evaluation validate(const Context& context) = 0;
};

}  // namespace roformer
