// The first stage of RoFormer-Sim (spec: paper.md 2.10; Su 2021, "SimBERTv2"): each text of a pair is the source of the
// other one. UniLM's mask lets the source's tokens see each other and those of the target all before them. The loss is
// the cross-entropy of the target's tokens, the mean over them, plus that of telling the other text's vector (the
// pooler's of the source's [CLS]) from all others of the step by their scaled cosines, the mean over texts.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "tasks/vectors/contrastive_objective.h"

namespace roformer {

struct SimOptions {
  double scale = 20;
  std::vector<VectorSize> sizes = {{}};
  int32_t mask_id = 0;
  double masked_sources = 0.5,
         masked_tokens = 0.5;         // of the sources; of a masked source's tokens, but for special ones
  std::vector<uint8_t> special = {};  // of each token of the vocabulary, whether it is special
};

class SimObjective final : public VectorObjective {
 public:
  // `model` has a masked language model's head and a pooler.
  SimObjective(const Model& model, const VectorInputs& inputs, SimOptions sim, const VectorObjectiveOptions& options,
               Validate validate, RandomStream random);

  int64_t labels() const override { return 1; }  // both terms are means already

 protected:
  void compose(int64_t step, int64_t epoch, std::span<const int64_t> rows) override;
  LossSum loss(const VectorMatrix& vectors, VectorMatrix* gradient) const override;
  Value hidden(const Context& context, const Batch& batch) const override;
  LossSum more_loss(const Context& context, const Value& hidden, const Batch& batch,
                    double gradient_scale) const override;

 private:
  Partners partners_;
  SimOptions sim_;
  ContrastiveRows rows_;
  int64_t targets_ = 0;  // tokens of the step's targets
};

}  // namespace roformer
