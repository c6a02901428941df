#include "tasks/vectors/contrastive_objective.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/error.h"
#include "tasks/vectors/text_vectors.h"
#include "tasks/vectors/vector_search.h"

namespace roformer {

void ContrastiveBatch::add_pair(int32_t anchor, int32_t positive) {
  for (const auto& [text, rows] : {std::pair(anchor, &anchors_), std::pair(positive, &positives_)}) {
    rows->push_back(static_cast<int32_t>(texts_.size()));
    texts_.push_back(text);
  }
}

void ContrastiveBatch::add_negative(int32_t text) {
  negatives_.push_back(static_cast<int32_t>(texts_.size()));
  texts_.push_back(text);
}

ContrastiveRows ContrastiveBatch::rows(const Partners& partners) const {
  ContrastiveRows rows{.queries = anchors_, .candidates = positives_, .left_out = {}};
  rows.candidates.insert(rows.candidates.end(), negatives_.begin(), negatives_.end());
  return complete(std::move(rows), partners);
}

ContrastiveRows ContrastiveBatch::both_ways(const Partners& partners) const {
  ContrastiveRows rows;
  for (size_t i = 0; i < anchors_.size(); ++i) {
    rows.queries.insert(rows.queries.end(), {anchors_[i], positives_[i]});
    rows.candidates.insert(rows.candidates.end(), {positives_[i], anchors_[i]});
  }
  return complete(std::move(rows), partners);
}

ContrastiveRows ContrastiveBatch::complete(ContrastiveRows rows, const Partners& partners) const {
  std::map<int32_t, std::vector<int32_t>> candidates_of;  // a text
  for (size_t c = 0; c < rows.candidates.size(); ++c) {
    candidates_of[texts_[static_cast<size_t>(rows.candidates[c])]].push_back(static_cast<int32_t>(c));
  }
  for (size_t i = 0; i < rows.queries.size(); ++i) {
    std::vector<int32_t>& left_out = rows.left_out.emplace_back();
    const int32_t text = texts_[static_cast<size_t>(rows.queries[i])];
    const auto leave_out = [&](int32_t other) {
      const auto found = candidates_of.find(other);
      if (found == candidates_of.end()) return;
      for (const int32_t c : found->second) {
        if (c != static_cast<int32_t>(i)) left_out.push_back(c);
      }
    };
    const std::vector<int32_t>& own = partners[static_cast<size_t>(text)];
    std::ranges::for_each(own, leave_out);
    if (!std::ranges::binary_search(own, text)) leave_out(text);
    std::ranges::sort(left_out);
  }
  return rows;
}

LossSum contrastive_loss(const VectorMatrix& vectors, const ContrastiveRows& rows, ContrastiveOptions options,
                         std::span<const VectorSize> sizes, ThreadPool& pool, VectorMatrix* gradient) {
  return sum_over_sizes(sizes, gradient, [&](int64_t dimensions, VectorMatrix* part) {
    options.dimensions = dimensions;
    return contrastive_loss(vectors, rows, options, pool, part);
  });
}

ContrastiveObjective::ContrastiveObjective(const Model& model, const VectorInputs& inputs,
                                           const ContrastiveOptions& contrast, std::vector<VectorSize> sizes,
                                           NegativesOptions negatives, const VectorObjectiveOptions& options,
                                           Validate validate, RandomStream random)
    : VectorObjective(model, inputs, options, std::move(validate), random),
      partners_(find_partners(inputs)),
      contrast_(contrast),
      sizes_(std::move(sizes)),
      negatives_(std::move(negatives)) {}

Json ContrastiveObjective::cursor() const {
  if (found_.empty()) return Json::object();
  return {{"negatives_epoch", found_epoch_}, {"negatives", found_}};
}

void ContrastiveObjective::resume(const JsonObject& cursor) {
  if (negatives_.count == 0) return;
  found_epoch_ = cursor.get_int("negatives_epoch", std::nullopt, 0);
  const auto refuse = [&] { cursor.reject("negatives", "a list of lists of texts, one an example"); };
  if (!cursor.has("negatives")) refuse();
  const Json& lists = cursor.value()["negatives"];
  if (!lists.is_array() || lists.size() != inputs().examples.size()) refuse();
  found_.clear();
  for (const Json& list : lists) {
    if (!list.is_array()) refuse();
    std::vector<int32_t>& found = found_.emplace_back();
    for (const Json& text : list) {
      if (!text.is_number_integer() || text < 0 || text >= std::ssize(inputs().texts)) refuse();
      found.push_back(text.get<int32_t>());
    }
  }
}

void ContrastiveObjective::find_negatives() {
  const VectorMatrix vectors = text_vectors(model(), inputs().texts, negatives_.embed, negatives_.stop_token);
  const UnitVectors unit(vectors, vectors.width);
  std::vector<int32_t> anchors, positives;
  for (const std::vector<int32_t>& example : inputs().examples) {
    anchors.push_back(example[0]);
    positives.push_back(example[1]);
  }
  std::ranges::sort(positives);
  positives.erase(std::unique(positives.begin(), positives.end()), positives.end());
  found_ = VectorSearch{unit.rows(), partners_, std::move(positives), model().backend().pool()}.nearest(
      anchors, negatives_.count);
}

void ContrastiveObjective::compose(int64_t, int64_t epoch, std::span<const int64_t> rows) {
  if (negatives_.count > 0 && (found_.empty() || (negatives_.each_epoch && epoch != found_epoch_))) {
    find_negatives();
    found_epoch_ = epoch;
  }
  ContrastiveBatch batch;
  for (const int64_t row : rows) {
    const auto at = static_cast<size_t>(row);
    const std::vector<int32_t>& example = inputs().examples[at];
    batch.add_pair(example[0], example[1]);
    for (size_t i = 2; i < example.size(); ++i) batch.add_negative(example[i]);
    if (found_.empty()) continue;
    for (const int32_t text : found_[at]) batch.add_negative(text);
  }
  for (const int32_t index : batch.texts()) {
    const Encoding& text = inputs().texts[static_cast<size_t>(index)];
    add_text(text.ids, text.segment_ids);
  }
  rows_ = batch.rows(partners_);
}

LossSum ContrastiveObjective::loss(const VectorMatrix& vectors, VectorMatrix* gradient) const {
  return contrastive_loss(vectors, rows_, contrast_, sizes_, model().backend().pool(), gradient);
}

}  // namespace roformer
