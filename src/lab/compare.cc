#include "lab/compare.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/usable_cpus.h"
#include "lab/grid_page.h"
#include "lab/grid_variant.h"

namespace roformer {

namespace {

struct Cell {
  std::string variant;
  int64_t seed;
};

GridPlan make_plan(const CompareOptions& options) {
  check_settings(options.training);
  if (options.training.output.empty()) throw UsageError("{} is empty, expected a directory", FieldName("output"));
  if (options.positions.empty()) throw UsageError("{} names no encoding", FieldName("positions"));
  if (options.training.shape.position)
    throw UsageError("the encodings are those of {}, not of {}", FieldName("positions"), FieldName("position"));
  if (!options.training.init_from.empty()) {
    throw UsageError("{}: a model has one position encoding; all of a comparison start from nothing",
                     FieldName("init_from"));
  }
  if (options.seeds < 1) throw UsageError("{} is {}, expected at least 1", FieldName("seeds"), options.seeds);
  if (options.jobs < 1) throw UsageError("{} is {}, expected at least 1", FieldName("jobs"), options.jobs);
  const PretrainOptions& training = options.training;
  GridPlan plan{.objective = training.objective,
                .positions = grid_variants(options.positions, options.attentions),
                .seeds = {},
                .max_length = training.max_length.value_or(preset_run(training.shape.preset).max_length),
                .lengths = options.lengths};
  for (int64_t i = 0; i < options.seeds; ++i) plan.seeds.push_back(training.seed + i);
  if (training.validation_data.empty()) {
    if (!plan.lengths.empty())
      throw UsageError("{} evaluates a text of its own: give {}", FieldName("lengths"), FieldName("validation_data"));
    return plan;
  }
  if (plan.lengths.empty()) {
    for (const int64_t factor : {1, 2, 4, 8}) plan.lengths.push_back(factor * plan.max_length);
  }
  std::ranges::sort(plan.lengths);
  plan.lengths.erase(std::unique(plan.lengths.begin(), plan.lengths.end()), plan.lengths.end());
  return plan;
}

// The trainings of a grid and the threads that do them.
class GridWork {
 public:
  GridWork(const CompareOptions& options, const GridPlan& plan) : options_(options), plan_(plan) {
    for (const int64_t seed : plan.seeds) {
      for (const std::string& position : plan.positions) cells_.push_back({position, seed});
    }
    jobs_ = std::min<int64_t>(options.jobs, std::ssize(cells_));
    const int64_t threads = options.threads > 0 ? options.threads : usable_cpus();
    threads_a_job_ = static_cast<int>(std::max<int64_t>(1, threads / jobs_));
    if (plan.lengths.empty()) return;
    const auto tokenizer = load_tokenizer(options.training.tokenizer);
    ThreadPool pool(static_cast<int>(threads));
    texts_ = pack_lengths(options.training, plan.lengths, *tokenizer, pool);
  }

  void run() {
    std::vector<std::thread> workers;
    try {
      for (int64_t i = 1; i < jobs_; ++i) workers.emplace_back([this] { work(); });
    } catch (const std::system_error& error) {  // fewer threads do it, too
      options_.training.messages.write(
          fmt::format("only {} jobs could be started: {}\n", workers.size() + 1, error.what()));
    }
    work();
    for (std::thread& worker : workers) worker.join();
    if (failure_) std::rethrow_exception(failure_);
    if (options_.training.stop_token.stop_requested()) {
      throw Interrupted("interrupted; what was being trained is saved. The same command goes on from there");
    }
  }

 private:
  void work() {
    for (size_t next; !stop_ && !options_.training.stop_token.stop_requested() && (next = next_++) < cells_.size();) {
      try {
        train_cell(next);
      } catch (const Interrupted&) {
        stop_ = true;
      } catch (...) {
        stop_ = true;
        const std::lock_guard lock(mutex_);
        if (!failure_) failure_ = std::current_exception();
      }
    }
  }

  // Side by side there is no one line to redraw: plain lines, each with the name of its run.
  Progress::Output messages(const std::string& name) const {
    Progress::Output output = options_.training.messages;
    if (jobs_ == 1) return output;
    output.style.interactive = false;
    output.write = [name, write = output.write](std::string_view text) { write(fmt::format("{}: {}", name, text)); };
    return output;
  }

  void train_cell(size_t number) {
    const auto& [variant, seed] = cells_[number];
    const std::string name = plan_.run_name(variant, seed);
    PretrainOptions training = options_.training;
    if (!options_.attentions.empty()) training.shape.attention = {"softmax"};
    GridVariant::parse(variant).apply(training.shape);
    training.seed = seed;
    training.output = join_path(options_.training.output, name);
    training.messages = messages(name);
    training.accepted = [&, output = training.output, messages = training.messages](bool already_finished) {
      std::call_once(planned_, [&] { write_grid_plan(plan_, options_.training.output); });
      if (!already_finished) measure(output, false);  // already now, in case it is killed
      messages.write(fmt::format("{}, {} of {}\n", jobs_ == 1 ? name : "training", number + 1, cells_.size()));
    };
    training.undivided = [&](const UndividedFile& file) {
      if (options_.training.undivided) std::call_once(hinted_, [&] { options_.training.undivided(file); });
    };
    ThreadPool pool(threads_a_job_);
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
    } else {
      training.messages.write("already finished\n");
    }
    if (!plan_.lengths.empty()) {
      evaluate_lengths(training.output, texts_, training, plan_.max_length, *backend, training.messages);
    }
  }

  // A run that was once trained beside others says so for ever.
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
  std::vector<Cell> cells_;
  int64_t jobs_ = 1;
  int threads_a_job_ = 1;
  LengthTexts texts_;
  std::once_flag planned_, hinted_;
  std::atomic<size_t> next_{0};
  std::atomic<bool> stop_{false};
  std::mutex mutex_;
  std::exception_ptr failure_;
};

}  // namespace

Grid compare(const CompareOptions& options) {
  const GridPlan plan = make_plan(options);
  if (options.training.tokenizer.empty())
    throw UsageError("{} is empty, expected a directory (train-tokenizer makes one)", FieldName("tokenizer"));
  GridWork(options, plan).run();
  Grid grid = read_grid(options.training.output);
  write_grid_report(grid);
  return grid;
}

}  // namespace roformer
