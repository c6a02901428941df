#include "lab/length_evaluation.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "data/corpus.h"
#include "training/language_objective.h"

namespace roformer {

namespace {

constexpr int64_t kMaxEvaluatedTokens = 262'144;
constexpr int64_t kBatchTokens = 8192;
constexpr int64_t kParts = 16;
constexpr const char* kFile = "lengths.json";

Json to_json(const LengthScore& score) {
  Json json = {{"scaling", score.scaling}, {"length", score.length}};
  if (!score.reason.empty()) {
    json["reason"] = score.reason;
    return json;
  }
  json.update({{"loss", score.evaluation.loss},
               {"accuracy", score.evaluation.accuracy.value_or(0)},
               {"labels", score.evaluation.labels},
               {"position_loss", score.position_loss}});
  return json;
}

LengthScore score_of(const JsonObject& json) {
  LengthScore score{.scaling = json.get_string("scaling", std::nullopt),
                    .length = json.get_int("length", std::nullopt, 1),
                    .reason = json.get_string("reason", ""),
                    .evaluation = {},
                    .position_loss = {}};
  if (!score.reason.empty()) return score;
  score.evaluation = {.loss = json.get_double("loss", std::nullopt),
                      .accuracy = json.get_double("accuracy", std::nullopt),
                      .labels = json.get_int("labels", std::nullopt, 0)};
  const Json parts = json.value().value("position_loss", Json());
  const auto is_number = [](const Json& value) { return value.is_number(); };
  if (!parts.is_array() || !std::ranges::all_of(parts, is_number)) json.reject("position_loss", "a list of numbers");
  score.position_loss = parts.get<std::vector<double>>();
  return score;
}

std::vector<LengthScore> read_scores(const JsonObject& file) {
  const Json list = file.value().value("scores", Json());
  if (!list.is_array()) file.reject("scores", "a list");
  std::vector<LengthScore> scores;
  for (const Json& entry : list) scores.push_back(score_of(JsonObject(entry, file.source())));
  return scores;
}

// Whether the file's settings are the current ones.
std::vector<LengthScore> kept_scores(const std::string& path, const Json& settings) {
  if (!exists(path)) return {};
  const JsonObject file = JsonObject::read(path);
  return file.get_object("settings").value() == settings ? read_scores(file) : std::vector<LengthScore>{};
}

void write_scores(const std::string& path, const Json& settings, const std::vector<LengthScore>& scores) {
  Json list = Json::array();
  for (const LengthScore& score : scores) list.push_back(to_json(score));
  write_file_atomically(path, Json{{"settings", settings}, {"scores", list}}.dump(1) + "\n");
}

// `first`: of the scalings, which follow the plain score.
std::string describe(const LengthScore& score, bool first) {
  const std::string value = score.reason.empty() ? fmt::format("{:.4f}", score.evaluation.loss) : "–";
  if (score.scaling.empty()) return "validation loss " + value;
  if (score.scaling == "hierarchical") return "; with a hierarchical table " + value;
  return fmt::format("{}{} {}", first ? "; scaled by " : ", ", score.scaling, value);
}

StateDict read_weights(const std::string& path, const ModelConfig& config) {
  StateDict weights = load_state_dict(path);
  for (auto& [name, tensor] : weights) {
    if (!std::holds_alternative<LearnedPosition>(config.position) || tensor.shape().rank() != 2) continue;
    if (name.ends_with("embeddings.position_embeddings.weight") && tensor.rows() > config.max_positions) {
      tensor = tensor.row_range(0, config.max_positions);
    }
  }
  return weights;
}

// Loss sums by part of the sequence.
class PartSums {
 public:
  explicit PartSums(int64_t length) : length_(length), parts_(static_cast<size_t>(std::min(kParts, length))) {}

  void add(const Context& context, const Model& model, const LabeledBatch& batch) {
    const Value hidden = model.trunk().forward(context, batch.batch);
    std::vector<LabeledBatch> split(parts_.size());
    for (size_t i = 0; i < batch.rows.size(); ++i) {
      const int64_t position = batch.batch.positions[static_cast<size_t>(batch.rows[i])];
      LabeledBatch& part = split[static_cast<size_t>(position * std::ssize(parts_) / length_)];
      part.rows.push_back(batch.rows[i]);
      part.labels.push_back(batch.labels[i]);
    }
    for (size_t p = 0; p < parts_.size(); ++p) {
      if (split[p].rows.empty()) continue;
      const LossSum part = model.mlm_head()
                               .loss(context, gather_rows(context, hidden, split[p].rows),
                                     model.trunk().word_embeddings(), {split[p].labels, 0})
                               .read();
      parts_[p].loss += part.sum;
      parts_[p].correct += part.correct;
      parts_[p].labels += std::ssize(split[p].labels);
    }
  }

  void finish(LengthScore& score) const {
    double loss = 0;
    int64_t correct = 0, labels = 0;
    for (const Part& part : parts_) {
      score.position_loss.push_back(part.labels > 0 ? part.loss / static_cast<double>(part.labels) : 0);
      loss += part.loss;
      correct += part.correct;
      labels += part.labels;
    }
    score.evaluation.labels = labels;
    if (labels == 0) return;
    score.evaluation.loss = loss / static_cast<double>(labels);
    score.evaluation.accuracy = static_cast<double>(correct) / static_cast<double>(labels);
  }

 private:
  struct Part {
    double loss = 0;
    int64_t correct = 0, labels = 0;
  };
  int64_t length_;
  std::vector<Part> parts_;
};

// An invalid setting, or a text that the model cannot read, is a result and not a failure.
LengthScore evaluate(const std::string& weights, const LengthVariant& variant, int64_t length,
                     const PackedSequences& text, const Labeler& labeling, RandomStream random, Backend& backend) {
  LengthScore score{
      .scaling = variant.scaling, .length = length, .reason = variant.reason, .evaluation = {}, .position_loss = {}};
  if (text.size() == 0)
    score.reason =
        fmt::format("the validation text has fewer tokens, or more than {} were asked for", kMaxEvaluatedTokens);
  if (!score.reason.empty()) return score;
  const StateDict read = read_weights(weights, variant.config);  // a damaged file is a failure
  try {
    Model model = build_model(backend, variant.config, read, weights);
    model.prepare();
    const Context context{backend, nullptr, {}, false};
    const int64_t per_batch = std::max<int64_t>(1, kBatchTokens / length);
    PartSums sums(length);
    for (int64_t begin = 0; begin < text.size(); begin += per_batch) {
      LabeledBatch batch;
      for (int64_t i = begin; i < std::min(text.size(), begin + per_batch); ++i) {
        batch.append(labeling.label(text.sequence(i), substream(random, static_cast<uint64_t>(i))));
      }
      sums.add(context, model, batch);
    }
    sums.finish(score);
    if (score.evaluation.labels == 0) score.reason = "the validation text gave no token to predict";
    if (!std::isfinite(score.evaluation.loss)) score.reason = "the loss is not finite";
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::usage && error.kind() != ErrorKind::data) throw;
    score.reason = error.what();
  }
  return score;
}

}  // namespace

LengthTexts pack_lengths(const PretrainOptions& options, const std::vector<int64_t>& lengths,
                         const Tokenizer& tokenizer, ThreadPool& pool) {
  LengthTexts texts;
  for (const int64_t length : lengths) {
    const Corpus corpus(
        options.validation_data,
        {.rule = parse_document_rule(options.documents), .max_length = length, .stop_token = options.stop_token},
        tokenizer);
    texts.content_hash = corpus.content_hash();
    PackedSequences& packed = texts.by_length[length];
    packed = {};
    for (int64_t block = 0; block < corpus.blocks() && packed.tokens() + length <= kMaxEvaluatedTokens; ++block) {
      const auto part = corpus.load(block, pool);
      for (int64_t i = 0; i < part->size() && packed.tokens() + length <= kMaxEvaluatedTokens; ++i) {
        if (std::ssize(part->sequence(i)) == length) packed.append(part->sequence(i));
      }
    }
  }
  return texts;
}

std::vector<LengthVariant> length_variants(const ModelConfig& config, int64_t trained, int64_t length) {
  std::vector<LengthVariant> variants = {{.scaling = "", .config = config, .reason = {}}};
  if (length <= trained) return variants;
  const double factor = static_cast<double>(length) / static_cast<double>(trained);
  if (const auto* rotary = std::get_if<RotaryPosition>(&config.position)) {
    const bool scalable = !rotary->learned && rotary->rotary.grid_width == 0 &&
                          std::holds_alternative<std::monostate>(rotary->rotary.scaling);
    if (!scalable) return variants;
    YarnScaling yarn;
    yarn.factor = factor;
    yarn.original_positions = trained;
    const std::vector<std::pair<std::string, RotaryScaling>> scalings = {
        {"linear", LinearScaling{.factor = factor}},
        {"ntk", NtkScaling{.factor = factor}},
        {"dynamic-ntk", DynamicNtkScaling{.factor = factor, .original_positions = trained}},
        {"yarn", yarn}};
    for (const auto& [name, scaling] : scalings) {
      variants.push_back({.scaling = name, .config = config, .reason = {}});
      std::get<RotaryPosition>(variants.back().config.position).rotary.scaling = scaling;
    }
  }
  if (std::holds_alternative<TupePosition>(config.position)) {
    variants[0].reason = fmt::format("its table of positions was trained up to {}", trained);
  }
  if (const auto* learned = std::get_if<LearnedPosition>(&config.position)) {
    ModelConfig cut = config;
    cut.max_positions = trained;
    cut.position = LearnedPosition{.max_positions = trained, .hierarchical = true};
    if (learned->hierarchical) {
      variants[0].config = cut;
    } else {
      variants[0].reason = fmt::format("its table of positions was trained up to {}", trained);
      variants.push_back({.scaling = "hierarchical", .config = cut, .reason = {}});
    }
  }
  return variants;
}

std::vector<LengthScore> evaluate_lengths(const std::string& directory, const LengthTexts& texts,
                                          const PretrainOptions& options, int64_t trained, Backend& backend,
                                          const Progress::Output& messages) {
  const std::string path = join_path(directory, kFile), weights = join_path(directory, "model.safetensors");
  const auto tokenizer = load_tokenizer(directory);
  const Json settings = {{"validation-data", texts.content_hash},
                         {"max-length", trained},
                         {"seed", options.seed},
                         {"weights", hash_hex(MappedFile(weights).view())}};  // a run may have gone on since
  const ModelConfig config = read_config(join_path(directory, "config.json"));
  const auto labeling = make_labeler(options, *tokenizer, config.vocabulary);
  std::vector<LengthScore> scores = kept_scores(path, settings);
  for (const auto& entry : texts.by_length) {
    const int64_t length = entry.first;
    // The same masks for every encoding.
    const RandomStream random = substream({static_cast<uint64_t>(options.seed), 0}, static_cast<uint64_t>(length));
    std::string line;
    bool scaled = false;
    for (const LengthVariant& variant : length_variants(config, trained, length)) {
      const auto same = [&](const LengthScore& s) { return s.length == length && s.scaling == variant.scaling; };
      if (std::ranges::any_of(scores, same)) continue;
      if (options.stop_token.stop_requested()) {
        throw Interrupted("interrupted while evaluating {}. Run the same command again to continue", directory);
      }
      scores.push_back(evaluate(weights, variant, length, entry.second, *labeling, random, backend));
      write_scores(path, settings, scores);
      line += describe(scores.back(), !scaled);
      scaled = scaled || !variant.scaling.empty();
    }
    if (line.starts_with("; ")) line.erase(0, 2);  // the plain score was read from the file
    if (!line.empty()) messages.write(fmt::format("{} tokens: {}\n", length, line));
  }
  return scores;
}

std::vector<LengthScore> read_length_scores(const std::string& directory) {
  const std::string path = join_path(directory, kFile);
  return exists(path) ? read_scores(JsonObject::read(path)) : std::vector<LengthScore>{};
}

}  // namespace roformer
