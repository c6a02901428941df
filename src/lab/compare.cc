#include "lab/compare.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <numeric>
#include <set>

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "data/corpus.h"
#include "lab/grid_page.h"
#include "lab/grid_variant.h"
#include "lab/varied_settings.h"
#include "training/grid_clock.h"
#include "training/pretrain_plan.h"
#include "training/run_report.h"
#include "training/side_by_side.h"
#include "training/work_estimate.h"

namespace roformer {

namespace {

// A variant with what its trainings share; seed and output belong to a cell.
struct Row {
  std::string name;
  PretrainOptions training;
  int64_t max_length = 0;
  double operations = 0;  // of one training, estimated
};

struct Cell {
  size_t row;
  int64_t seed;
};

const std::string& tokenizer_of(const PretrainOptions& training) {
  return training.tokenizer.empty() ? training.init_from : training.tokenizer;
}

void check_options(const CompareOptions& options) {
  check_settings(options.training);
  if (options.training.output.empty()) throw UsageError("{} is empty, expected a directory", FieldName("output"));
  if (options.positions.empty() && options.sweeps.empty() && options.variants.empty()) {
    throw UsageError("nothing to compare: {} names no encoding, and there is no {} or {}", FieldName("positions"),
                     FieldName("vary"), FieldName("variant"));
  }
  if (options.positions.empty() && !options.attentions.empty()) {
    throw UsageError("{} is combined with each encoding: expected {}, too", FieldName("attention"),
                     FieldName("positions"));
  }
  if (options.positions.empty()) return;
  if (options.training.shape.position)
    throw UsageError("the encodings are those of {}, not of {}", FieldName("positions"), FieldName("position"));
  for (const std::string_view name : options.training.shape.position_options.given()) {
    const auto encodings = encodings_with(name);
    if (std::ranges::find_first_of(options.positions, encodings) != options.positions.end()) continue;
    throw UsageError("{}: {} has no encoding with this parameter; expected one of {}", FieldName(name),
                     FieldName("positions"), fmt::join(encodings, ", "));
  }
  if (!options.training.init_from.empty()) {
    throw UsageError("{}: a model has one position encoding; compare trains all variants from random weights",
                     FieldName("init_from"));
  }
}

// A sweep must not set what the lists set.
void check_sweep(const CompareOptions& options, const std::vector<VariedSetting>& settings) {
  for (const VariedSetting& setting : settings) {
    const bool position = setting.name == "position" && !options.positions.empty();
    const bool attention = setting.name == "attention" && !options.attentions.empty();
    if (position || attention) {
      throw UsageError("{}: {} is varied by {}", FieldName("vary"), setting.name,
                       FieldName(position ? "positions" : "attention"));
    }
  }
}

std::vector<Row> make_rows(const CompareOptions& options, GridPlan& plan) {
  std::vector<Row> rows;
  const auto add = [&](const std::string& encoding, const VariedSettings& varied) {
    const bool both = !encoding.empty() && !varied.name.empty();
    Row row{.name = encoding + (both ? " " : "") + varied.name, .training = options.training};
    if (!encoding.empty()) {
      if (!options.attentions.empty()) row.training.shape.attention = {"softmax"};
      GridVariant::parse(encoding).apply(row.training.shape);
    }
    apply_settings(varied.settings, row.training);
    check_settings(row.training);
    if (row.training.validation_fraction == 0) {
      throw UsageError("{} is 0, expected a part of the text: variants are compared by their validation loss",
                       FieldName("validation_fraction"));
    }
    if (row.training.best != "none") {
      throw UsageError("{} is {}, expected none: variants are compared after equal steps, by their last validation",
                       FieldName("best"), row.training.best);
    }
    if (!varied.settings.empty()) plan.settings[row.name] = settings_json(varied.settings, row.training);
    rows.push_back(std::move(row));
  };
  if (!options.positions.empty() || !options.sweeps.empty()) {
    std::vector<std::string> encodings = grid_variants(options.positions, options.attentions);
    if (encodings.empty()) encodings.emplace_back();
    const std::vector<VariedSettings> product = sweep_product(options.sweeps);
    check_sweep(options, product[0].settings);
    for (const std::string& encoding : encodings) {
      for (const VariedSettings& varied : product) add(encoding, varied);
    }
  }
  for (const std::string& text : options.variants) add("", parse_variant(text));
  return rows;
}

// Each run has its own directory.
void check_names(const GridPlan& plan) {
  std::set<std::string> files;
  for (const std::string& name : plan.positions) {
    if (!is_variant_name(name))
      throw UsageError("the name {} is too long: expected {} with a shorter name", quote(name), FieldName("variant"));
    if (!files.insert(variant_file_name(name)).second) {
      throw UsageError("two variants are named {}: expected {} with another name", quote(name), FieldName("variant"));
    }
  }
}

GridPlan make_grid_plan(const CompareOptions& options, std::vector<Row>& rows) {
  check_options(options);
  if (options.seeds < 1) throw UsageError("{} is {}, expected at least 1", FieldName("seeds"), options.seeds);
  if (options.jobs < 1) throw UsageError("{} is {}, expected at least 1", FieldName("jobs"), options.jobs);
  const PretrainOptions& training = options.training;
  GridPlan plan{.objective = training.objective,
                .positions = {},
                .seeds = {},
                .max_length = training.max_length.value_or(run_defaults(training).max_length),
                .lengths = options.lengths};
  rows = make_rows(options, plan);
  for (const Row& row : rows) plan.positions.push_back(row.name);
  check_names(plan);
  plan.reference = options.reference;
  if (!plan.reference.empty() && std::ranges::find(plan.positions, plan.reference) == plan.positions.end()) {
    throw UsageError("{} is {}, expected one of the variants: {}", FieldName("reference"), quote(plan.reference),
                     fmt::join(plan.positions, ", "));
  }
  for (int64_t i = 0; i < options.seeds; ++i) plan.seeds.push_back(training.seed + i);
  if (training.validation_data.empty()) {
    if (!plan.lengths.empty())
      throw UsageError("{} requires a separate validation text: expected {}", FieldName("lengths"),
                       FieldName("validation_data"));
    return plan;
  }
  if (plan.lengths.empty()) {
    for (const int64_t factor : {1, 2, 4, 8}) plan.lengths.push_back(factor * plan.max_length);
  }
  std::ranges::sort(plan.lengths);
  plan.lengths.erase(std::unique(plan.lengths.begin(), plan.lengths.end()), plan.lengths.end());
  return plan;
}

// For this many epochs; a token has about four bytes.
int64_t estimated_steps(const PretrainOptions& training, const PretrainPlan& plan, const Tokenizer& tokenizer) {
  if (!training.schedule.epochs) return training.schedule.steps.value_or(plan.preset.steps);
  constexpr double kBytesPerToken = 4;
  const Corpus corpus(training.data,
                      {.rule = parse_document_rule(training.documents),
                       .max_length = plan.max_length,
                       .stop_token = training.stop_token},
                      tokenizer);
  const auto tokens = *training.schedule.epochs * static_cast<double>(corpus.bytes()) / kBytesPerToken;
  return std::max<int64_t>(1, std::llround(tokens / static_cast<double>(plan.batch_tokens * training.accumulate)));
}

// Resolves each variant, and so checks whether its settings are compatible, before anything is trained.
void plan_rows(std::vector<Row>& rows) {
  std::map<std::string, std::unique_ptr<Tokenizer>> tokenizers;
  std::set<std::string> warned;
  for (Row& row : rows) {
    const PretrainOptions& training = row.training;
    const std::string& directory = tokenizer_of(training);
    if (directory.empty())
      throw UsageError("{} is empty, expected a directory (train-tokenizer makes one)", FieldName("tokenizer"));
    auto& tokenizer = tokenizers[directory];
    if (tokenizer == nullptr) tokenizer = load_tokenizer(directory);
    const PretrainPlan plan = make_plan(training, *tokenizer);
    for (const std::string& warning : plan.warnings) {
      if (training.warned && warned.insert(warning).second) training.warned(warning);
    }
    row.max_length = plan.max_length;
    row.operations = training_operations(training, plan, estimated_steps(training, plan, *tokenizer));
  }
}

// The trainings of a grid and the threads that run them.
class GridWork {
 public:
  GridWork(const CompareOptions& options, const GridPlan& plan, const std::vector<Row>& rows)
      : options_(options), plan_(plan), rows_(rows) {
    std::vector<double> work;
    for (const int64_t seed : plan.seeds) {
      for (size_t row = 0; row < rows.size(); ++row) {
        cells_.push_back({row, seed});
        work.push_back(rows[row].operations);
      }
    }
    ask(std::accumulate(work.begin(), work.end(), 0.0));
    jobs_ = std::min<int64_t>(options.jobs, std::ssize(cells_));
    if (!plan.lengths.empty()) {
      ThreadPool pool(threads_of_each(options.threads, 1));
      for (const Row& row : rows) pack_texts(row.training, pool);
    }
    clock_ = std::make_unique<GridClock>(std::move(work), options.training.messages.seconds);
  }

  void run() {
    train_side_by_side(
        std::ssize(cells_),
        {.jobs = jobs_, .messages = options_.training.messages, .stop_token = options_.training.stop_token},
        [this](int64_t number) { train_cell(static_cast<size_t>(number)); });
  }

 private:
  // The user has confirmed a grid that is resumed.
  void ask(double operations) const {
    if (!options_.training.confirm || is_grid(options_.training.output)) return;
    options_.training.confirm(estimated_seconds(operations, threads_of_each(options_.threads, 1)));
  }

  static std::string text_key(const PretrainOptions& training) {
    return dump_json({training.validation_data, training.documents, tokenizer_of(training)});
  }

  void pack_texts(const PretrainOptions& training, ThreadPool& pool) {
    const auto [place, is_new] = texts_.try_emplace(text_key(training));
    if (!is_new) return;
    const auto tokenizer = load_tokenizer(tokenizer_of(training));
    place->second = pack_lengths(training, plan_.lengths, *tokenizer, pool);
  }

  void train_cell(size_t number) {
    const Row& row = rows_[cells_[number].row];
    const std::string name = plan_.run_name(row.name, cells_[number].seed);
    PretrainOptions training = row.training;
    training.seed = cells_[number].seed;
    training.confirm = nullptr;
    training.warned = nullptr;  // told already
    training.cpu_speed = jobs_ == 1;
    training.times = [this, number](const StepCount& steps) { return clock_->update(number, steps); };
    training.output = join_path(options_.training.output, name);
    if (jobs_ > 1) training.messages = named_lines(training.messages, name);
    training.accepted = [&, output = training.output, messages = training.messages](bool already_finished) {
      std::call_once(planned_, [&] { write_grid_plan(plan_, options_.training.output); });
      if (!already_finished) measure(output, false);  // before training, in case it is killed
      messages.write(fmt::format("{}, {} of {}\n", jobs_ == 1 ? name : "training", number + 1, cells_.size()));
    };
    training.undivided = [&](const UndividedFile& file) {
      if (options_.training.undivided) std::call_once(hinted_, [&] { options_.training.undivided(file); });
    };
    ThreadPool pool(threads_of_each(options_.threads, jobs_));
    const auto backend = make_backend(options_.device, pool, options_.precision);
    const bool resets = jobs_ == 1 && reset_peak_memory();
    bool trained = false;
    try {
      trained = !pretrain(training, *backend).already_finished;
    } catch (const Interrupted&) {
      measure(training.output, resets);
      throw;
    }
    if (trained) {
      measure(training.output, resets);
      write_page(training.output);
      clock_->finish(number);
    } else {
      clock_->skip(number);
      training.messages.write("already finished\n");
    }
    if (!plan_.lengths.empty()) {
      evaluate_lengths(training.output, texts_.at(text_key(training)), training, row.max_length, *backend,
                       training.messages);
    }
  }

  // The training's own page again, without the speed by the clock, which the others may have slowed.
  static void write_page(const std::string& run) {
    write_run_report(run, join_path(run, "report.html"), {.wall_clock_speed = false});
  }

  // A run that was ever trained beside others stays marked as such.
  void measure(const std::string& run, bool memory) const {
    RunMeasure now = read_measure(run);
    now.jobs = std::max(now.jobs, jobs_);
    const auto peak = memory ? peak_memory() : std::nullopt;
    if (peak) now.peak_memory = std::max(now.peak_memory.value_or(0), *peak);
    if (now.jobs > 1) now.peak_memory.reset();
    write_measure(now, run);
  }

  const CompareOptions& options_;
  const GridPlan& plan_;
  const std::vector<Row>& rows_;
  std::vector<Cell> cells_;
  int64_t jobs_ = 1;
  std::map<std::string, LengthTexts> texts_;  // by text_key()
  std::unique_ptr<GridClock> clock_;
  std::once_flag planned_, hinted_;
};

}  // namespace

Grid compare(const CompareOptions& options) {
  std::vector<Row> rows;
  const GridPlan plan = make_grid_plan(options, rows);
  plan_rows(rows);
  GridWork(options, plan, rows).run();
  Grid grid = read_grid(options.training.output);
  write_grid_report(grid);
  return grid;
}

}  // namespace roformer
