// Training on texts that belong together: anchors, positives and perhaps negatives, with all other texts of the step as
// further negatives but those that are the same text as the anchor or one of its positives.
#pragma once

#include <cstdint>
#include <span>
#include <stop_token>
#include <vector>

#include "inference/embed.h"
#include "tasks/vectors/vector_objective.h"

namespace roformer {

using Partners = std::vector<std::vector<int32_t>>;  // find_partners

// The texts of a step in the order of their vectors: an anchor and its positive after the other, and the negatives.
class ContrastiveBatch {
 public:
  // Indices of texts (VectorInputs); each call gives the vectors their next rows.
  void add_pair(int32_t anchor, int32_t positive);
  void add_negative(int32_t text);
  // Of all vectors added.
  const std::vector<int32_t>& texts() const { return texts_; }
  ContrastiveRows rows(const Partners& partners) const;
  // Each text of a pair as a query for the other one (RoFormer-Sim); without negatives.
  ContrastiveRows both_ways(const Partners& partners) const;

 private:
  ContrastiveRows complete(ContrastiveRows rows, const Partners& partners) const;

  std::vector<int32_t> texts_;
  std::vector<int32_t> anchors_, positives_, negatives_;  // rows
};

// The loss summed over sizes.
LossSum contrastive_loss(const VectorMatrix& vectors, const ContrastiveRows& rows, ContrastiveOptions options,
                         std::span<const VectorSize> sizes, ThreadPool& pool, VectorMatrix* gradient);

struct NegativesOptions {
  int64_t count = 0;        // of hard negatives of an anchor; 0: none
  bool each_epoch = false;  // found anew
  EmbedOptions embed;
  std::stop_token stop_token = {};
};

class ContrastiveObjective final : public VectorObjective {
 public:
  ContrastiveObjective(const Model& model, const VectorInputs& inputs, const ContrastiveOptions& contrast,
                       std::vector<VectorSize> sizes, NegativesOptions negatives, const VectorObjectiveOptions& options,
                       Validate validate, RandomStream random);

  // The negatives that were found, which a resumed run goes on with.
  Json cursor() const override;
  void resume(const JsonObject& cursor) override;

 protected:
  void compose(int64_t step, int64_t epoch, std::span<const int64_t> rows) override;
  LossSum loss(const VectorMatrix& vectors, VectorMatrix* gradient) const override;

 private:
  void find_negatives();

  Partners partners_;
  ContrastiveOptions contrast_;
  std::vector<VectorSize> sizes_;
  NegativesOptions negatives_;
  int64_t found_epoch_ = -1;
  std::vector<std::vector<int32_t>> found_;  // of each example
  ContrastiveRows rows_;
};

}  // namespace roformer
