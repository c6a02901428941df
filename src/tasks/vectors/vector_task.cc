// Fine-tuning of sentence vectors.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/error.h"
#include "base/inapplicable_error.h"
#include "tasks/finetune_task.h"
#include "tasks/vectors/sim_objective.h"
#include "tasks/vectors/text_vectors.h"
#include "tasks/vectors/vector_evaluation.h"

namespace roformer {

namespace {

void refuse_settings_of_heads(const FinetuneOptions& options, const Task& task) {
  const auto refuse = [&](bool given, const char* name) {
    if (given) throw InapplicableError("{} has no effect on {}", FieldName(name), task.name);
  };
  refuse(!options.class_weights.empty(), "class_weights");
  refuse(options.label_smoothing > 0, "label_smoothing");
  refuse(options.r_drop > 0, "r_drop");
  refuse(options.stride.has_value(), "stride");
}

std::vector<double> labels_of_pairs(std::span<const Example> examples) {
  std::vector<double> scores;
  for (const Example& example : examples) scores.push_back(example.value);
  return scores;
}

class VectorTask final : public FinetuneTask {
 public:
  VectorTask(const FinetuneOptions& options, FinetunePlan& plan, const Tokenizer& tokenizer, ThreadPool& pool)
      : options_(options), plan_(plan), tokenizer_(tokenizer) {
    refuse_settings_of_heads(options, *plan.task);
    const std::string& file = options.train.front();
    const std::string& other = options.validation.empty() ? file : options.validation.front();
    training_ = encode_vector_inputs(plan.training, file, tokenizer, plan.vectors.preparation, pool);
    validation_ = encode_vector_inputs(plan.validation, other, tokenizer, plan.vectors.preparation, pool);
    for (const std::string& notice : cut_notices(training_, file)) plan.warnings.push_back(notice);
    if (other != file) {
      for (const std::string& notice : cut_notices(validation_, other)) plan.warnings.push_back(notice);
    }
    const SimilarityOptions& vectors = options.vectors;
    pairs_ = {.by_order = vectors.loss == "cosent",
              .scale = vectors.similarity_scale,
              .sizes = vector_sizes(vectors.matryoshka, plan.config.hidden)};
    if (compares_scores()) {
      set_scores();
    } else {
      require_negatives();
    }
    if (plan.task->generates) require_generation();
    const std::vector<Prediction> blank(plan.validation.size(), {.outputs = {{1}}, .answer = {}});
    check_metric(plan.metric, *plan.task, {}, plan.validation, blank);
  }

  int64_t training_examples() const override { return std::ssize(training_.examples); }

  Json settings() const override {
    const VectorRecipe& recipe = plan_.vectors;
    Json vectors = {{"pooling", pooling_names()[static_cast<size_t>(recipe.pooling)]},
                    {"normalize", recipe.normalize},
                    {"prompt", recipe.preparation.prompt},
                    {"lower-case", recipe.preparation.lower_case}};
    if (compares_scores() && !pairs_.by_order) vectors["scores"] = {pairs_.low, pairs_.high};
    return {{"vectors", std::move(vectors)}};
  }

  std::map<std::string, std::string> files() const override { return plan_.vectors.files; }

  TaskEvaluation evaluate(const Model& model) const override {
    ThreadPool& pool = model.backend().pool();
    const VectorMatrix vectors =
        text_vectors(model, validation_.texts, plan_.vectors.embed_options(), options_.stop_token);
    TaskEvaluation result;
    result.predictions =
        vector_predictions(*plan_.task, plan_.validation, validation_, vectors, Similarity::cosine, pool);
    result.loss = validation_loss(vectors, pool);
    result.metrics = task_metrics(*plan_.task, {}, plan_.validation, result.predictions);
    return result;
  }

  std::unique_ptr<Objective> objective(const Model& model, std::function<Evaluation()> validate,
                                       RandomStream random) override {
    const VectorObjectiveOptions common{
        .pooling = plan_.vectors.pooling, .batch_size = options_.batch_size, .batch_tokens = options_.batch_tokens};
    if (compares_scores()) {
      return std::make_unique<PairObjective>(model, training_, labels_of_pairs(plan_.training), pairs_, common,
                                             std::move(validate), random);
    }
    if (plan_.task->generates) {
      SimOptions sim{.scale = pairs_.scale, .sizes = pairs_.sizes, .mask_id = tokenizer_.mask_id()};
      for (int32_t id = 0; id < tokenizer_.vocabulary_size(); ++id) {
        sim.special.push_back(tokenizer_.is_special(id) ? 1 : 0);
      }
      return std::make_unique<SimObjective>(model, training_, std::move(sim), common, std::move(validate), random);
    }
    return std::make_unique<ContrastiveObjective>(model, training_, contrast(), pairs_.sizes,
                                                  NegativesOptions{.count = options_.vectors.hard_negatives,
                                                                   .each_epoch = options_.vectors.refresh_negatives,
                                                                   .embed = plan_.vectors.embed_options(),
                                                                   .stop_token = options_.stop_token},
                                                  common, std::move(validate), random);
  }

 private:
  bool compares_scores() const { return plan_.task->kind == TaskKind::pair_similarity; }
  ContrastiveOptions contrast() const { return {.scale = pairs_.scale, .symmetric = options_.vectors.symmetric}; }

  void set_scores() {
    const SimilarityOptions& vectors = options_.vectors;
    if (pairs_.by_order && vectors.score_range != "automatic") {
      throw InapplicableError("{} has no effect on {} cosent, which compares the order of scores",
                              FieldName("score_range"), FieldName("loss"));
    }
    if (pairs_.by_order && options_.batch_size < 2) {
      throw UsageError("{} is 1, expected at least 2: {} cosent compares the pairs of a batch", FieldName("batch_size"),
                       FieldName("loss"));
    }
    const std::vector<double> scores = labels_of_pairs(plan_.training);
    const auto [low, high] = std::ranges::minmax(scores);
    const auto range = parse_score_range(vectors.score_range);
    if (low == high && (pairs_.by_order || !range)) {
      throw DataError("{}: all {} pairs have the score {:g}, expected at least two scores",
                      FilePath(options_.train.front()), scores.size(), low);
    }
    pairs_.low = range ? range->low : low;
    pairs_.high = range ? range->high : high;
    if (low < pairs_.low || high > pairs_.high) {
      throw UsageError("{} is {}, but there are scores from {:g} to {:g}", FieldName("score_range"),
                       vectors.score_range, low, high);
    }
  }

  void require_negatives() const {
    const SimilarityOptions& vectors = options_.vectors;
    if (vectors.refresh_negatives && vectors.hard_negatives == 0) {
      throw InapplicableError("{} has no effect without {}", FieldName("refresh_negatives"),
                              FieldName("hard_negatives"));
    }
    const auto& examples = training_.examples;
    const bool given = std::ranges::any_of(examples, [](const auto& example) { return example.size() > 2; });
    const bool different =
        std::ranges::any_of(examples, [&](const auto& example) { return example[1] != examples.front()[1]; });
    if (!given && !different) {
      throw DataError("{}: all positives are the same text, expected different ones, which are each other's negatives",
                      FilePath(options_.train.front()));
    }
    if (options_.batch_size < 2 && !given && vectors.hard_negatives == 0) {
      throw UsageError("{} is 1, expected at least 2: the negatives of an example are the others of its batch",
                       FieldName("batch_size"));
    }
  }

  // Of RoFormer-Sim: source and target are one sequence.
  void require_generation() const {
    const LengthLimit limit = length_limit(plan_.config);
    const int64_t longest = 2 * plan_.inputs.max_length - 1;
    if (longest > limit.tokens) {
      throw UsageError("{} {}: source and target together have up to {} tokens, more than {}: {}",
                       FieldName("max_length"), plan_.inputs.max_length, longest, limit.tokens, limit.reason);
    }
    for (const SpecialToken token : {SpecialToken::cls, SpecialToken::sep, SpecialToken::mask}) {
      if (!tokenizer_.has(token)) {
        throw DataError("{}: the tokenizer lacks [CLS], [SEP] or [MASK], which {} needs", FilePath(options_.model),
                        plan_.task->name);
      }
    }
  }

  // The mean over batches of consecutive examples, as they would be trained on.
  double validation_loss(const VectorMatrix& vectors, ThreadPool& pool) const {
    const std::vector<double> scores = labels_of_pairs(plan_.validation);
    const Partners partners = find_partners(validation_);
    double sum = 0;
    const size_t count = validation_.examples.size(), size = static_cast<size_t>(options_.batch_size);
    for (size_t begin = 0; begin < count; begin += size) {
      const size_t end = std::min(begin + size, count);
      ContrastiveBatch batch;
      for (size_t i = begin; i < end; ++i) {
        const std::vector<int32_t>& example = validation_.examples[i];
        batch.add_pair(example[0], example[1]);
        for (size_t negative = 2; negative < example.size(); ++negative) batch.add_negative(example[negative]);
      }
      VectorMatrix rows(std::ssize(batch.texts()), vectors.width);
      for (int64_t i = 0; i < rows.rows; ++i) {
        std::copy_n(vectors.row(batch.texts()[static_cast<size_t>(i)]), rows.width, rows.row(i));
      }
      sum += batch_loss(batch, rows, std::span(scores).subspan(begin, end - begin), partners, pool);
    }
    return sum / static_cast<double>(count);
  }

  double batch_loss(const ContrastiveBatch& batch, const VectorMatrix& rows, std::span<const double> scores,
                    const Partners& partners, ThreadPool& pool) const {
    if (!compares_scores()) {
      const ContrastiveRows compared = batch.rows(partners);
      return contrastive_loss(rows, compared, contrast(), pairs_.sizes, pool, nullptr).sum;
    }
    ScoredPairs pairs{.first = {}, .second = {}, .scores = {scores.begin(), scores.end()}};
    for (int32_t i = 0; i < static_cast<int32_t>(scores.size()); ++i) {
      pairs.first.push_back(2 * i);
      pairs.second.push_back(2 * i + 1);
    }
    return pair_loss(rows, pairs, pairs_, nullptr).sum;
  }

  const FinetuneOptions& options_;
  const FinetunePlan& plan_;
  const Tokenizer& tokenizer_;
  VectorInputs training_, validation_;
  PairObjectiveOptions pairs_;  // its scale and sizes also without scores
};

}  // namespace

std::unique_ptr<FinetuneTask> make_vector_task(const FinetuneOptions& options, FinetunePlan& plan,
                                               const Tokenizer& tokenizer, ThreadPool& pool) {
  return std::make_unique<VectorTask>(options, plan, tokenizer, pool);
}

}  // namespace roformer
