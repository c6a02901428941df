#include "training/run_directory.h"

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"
#include "formats/safetensors.h"
#include "models/save_model.h"
#include "training/run_settings.h"
#include "training/settings_rows.h"

namespace roformer {

namespace {

constexpr const char *kWeights = "model.safetensors", *kOptimizer = "optimizer.safetensors", *kState = "state.json";
constexpr const char* kPublished = "published.safetensors";  // if other than kWeights
constexpr const char *kAdapter = "adapter.safetensors", *kPublishedAdapter = "adapter/adapter_model.safetensors";
const std::map<std::string, std::string> kMetadata = {{"format", "pt"}};
constexpr int64_t kMaxLogBytes = int64_t{1} << 32;

bool holds(const std::string& path, const std::string& content) {
  return exists(path) && MappedFile(path).view() == content;
}

std::string markdown_table(const Json& settings) {
  std::string table = "| setting | value |\n|---|---|\n";
  for (auto [name, value] : settings_rows(settings)) {
    for (size_t at = 0; (at = value.find('|', at)) != std::string::npos; at += 2) value.insert(at, 1, '\\');
    table += fmt::format("| {} | {} |\n", name, value);
  }
  return table;
}

RunState read_state(const JsonObject& json) {
  RunState state{.tokens = json.get_int("tokens", std::nullopt, 0),
                 .best = {},
                 .finished_early = json.get_bool("finished_early", false),
                 .validation_due = json.get_bool("validation_due", false),
                 .average_due = json.get_bool("average_due", false)};
  if (json.has("best")) state.best = best_of(json.get_object("best"));
  return state;
}

}  // namespace

RunDirectory::RunDirectory(const std::string& path, const Json& settings,
                           const std::map<std::string, std::string>& files, const ContinuedSettings& continued)
    : path_(path), settings_(std::make_shared<const Json>(settings)) {
  const std::string settings_path = join_path(path, "training/settings.json");
  for (const char* name : {"model.safetensors", "config.json"}) {
    if (!exists(join_path(path, name)) || exists(settings_path)) continue;
    throw FileError("{}: holds a {} that does not belong to a training run; choose another output directory",
                    FilePath(path), name);
  }
  make_directories(join_path(path, "training"));
  lock_.emplace(path);
  clean_snapshots(path);
  SnapshotSearch search = find_latest_snapshot(path, {kWeights, kOptimizer, kState});
  snapshot_ = search.snapshot;
  skipped_ = std::move(search.skipped);
  if (exists(settings_path)) {
    const JsonObject started = JsonObject::read(settings_path, kMaxSettingsBytes);
    if (continued) {
      settings_ = std::make_shared<const Json>(continued(started, settings, resumed_step()));
    } else {
      check_settings(started.value());
    }
    if (started.value() != *settings_) write_settings();
  } else {
    write_settings();
  }
  for (const auto& [name, content] : files) {
    // Rewritten if corrupt: equal settings imply equal content.
    const std::string file = join_path(path, name);
    if (holds(file, content)) continue;
    make_directories(parent_directory(file));
    write_file_atomically(file, content);
  }
  if (!snapshot_) return;
  state_ = read_state(JsonObject::read(join_path(snapshot_->path, kState)));
  publish_from(snapshot_->path);
}

std::string RunDirectory::snapshot_weights(int64_t step) const {
  return join_path(path_, fmt::format("training/step-{}/{}", step, kWeights));
}

std::string RunDirectory::best_file(const char* name) const {
  return join_path(path_, join_path("training/best", name));
}

void RunDirectory::publish_from(const std::string& snapshot) {
  const std::string kept = join_path(snapshot, kPublished), adapter = join_path(snapshot, kAdapter);
  const auto place = [](const std::string& file, const std::string& target) {
    if (!exists(file)) return;
    make_directories(parent_directory(target));
    publish(file, target);
  };
  if (state_.best.best) {
    place(kept, best_file(kWeights));
    place(adapter, best_file(kAdapter));
  } else {
    remove_tree(parent_directory(best_file(kWeights)));
  }
  place(exists(kept) ? kept : join_path(snapshot, kWeights), join_path(path_, kWeights));
  place(adapter, join_path(path_, kPublishedAdapter));
}

void RunDirectory::keep_best(const Model& model, const NamedTensors& adapter) {
  make_directories(parent_directory(best_file(kWeights)));
  write_safetensors(best_file(kWeights), file_weights(model), kMetadata);
  publish(best_file(kWeights), join_path(path_, kWeights));
  if (adapter.empty()) return;
  write_safetensors(best_file(kAdapter), adapter, kMetadata);
  make_directories(parent_directory(join_path(path_, kPublishedAdapter)));
  publish(best_file(kAdapter), join_path(path_, kPublishedAdapter));
}

void RunDirectory::check_settings(const Json& started) const {
  const std::vector<std::string> differences = setting_differences(started, *settings_);
  if (differences.empty()) return;
  throw UsageError("{}; use them, or another {}", other_settings(path_, differences), FieldName("output"));
}

void RunDirectory::write_settings() const {
  write_file_atomically(join_path(path_, "training/settings.json"), settings_->dump(2) + "\n");
}

RunState RunDirectory::restore(Model& model, const NamedTensors& optimizer, Objective& objective) {
  cut_log(snapshot_ ? snapshot_->step : -1);
  start_events();
  if (!snapshot_) return {};
  const std::string weights = join_path(snapshot_->path, kWeights);
  model.load_weights(load_state_dict(weights), weights);
  const std::string state_path = join_path(snapshot_->path, kOptimizer);
  copy_into(load_state_dict(state_path), state_path, optimizer, [&](const Tensor& from, const Tensor& to) {
    model.backend().write(to, [&](const Tensor& host) { copy_tensor(from, host); });
  });
  const JsonObject state = JsonObject::read(join_path(snapshot_->path, kState));
  if (!state.has("place")) state.reject("place", "the data position");
  objective.resume(state.get_object("place"));
  return state_;
}

void RunDirectory::save(int64_t step, const RunState& state, const Model& model, NamedTensors optimizer,
                        const Objective& objective, int keep, const LastPublished& last) {
  // The log must be durable before the snapshot is.
  if (log_) log_->sync();
  SnapshotWriter writer(path_, step);
  write_safetensors(writer.path(kWeights), file_weights(model), kMetadata);
  for (auto& [name, tensor] : optimizer) tensor = model.backend().to_host(tensor);
  write_safetensors(writer.path(kOptimizer), optimizer);
  Json json = {{"step", step}, {"tokens", state.tokens}, {"place", objective.cursor()}};
  if (state.best.best || state.best.since > 0) json["best"] = to_json(state.best);
  if (state.finished_early) json["finished_early"] = true;
  if (state.validation_due) json["validation_due"] = true;
  if (state.average_due) json["average_due"] = true;
  write_file_atomically(writer.path(kState), dump_json(json) + "\n");
  if (state.best.best) {
    publish(best_file(kWeights), writer.path(kPublished));
    if (exists(best_file(kAdapter))) publish(best_file(kAdapter), writer.path(kAdapter));
  } else {
    if (last.write_weights) last.write_weights(writer.path(kPublished));
    if (!last.adapter.empty()) write_safetensors(writer.path(kAdapter), last.adapter, kMetadata);
  }
  const std::string snapshot = writer.commit();
  state_ = state;
  publish_from(snapshot);
  prune_snapshots(path_, keep);
}

void RunDirectory::cut_log(int64_t step) {
  const std::string log_path = join_path(path_, "log.jsonl");
  if (exists(log_path)) {
    const std::string text = read_file(log_path, kMaxLogBytes);
    std::string lines;
    for (size_t begin = 0; begin < text.size();) {
      const size_t end = text.find('\n', begin);
      if (end == std::string::npos) break;  // a partial line of a killed run
      const std::string line = text.substr(begin, end - begin);
      const Json event = Json::parse(line, nullptr, false);
      if (event.is_object() && event.value("step", Json(0)).is_number() &&
          event.value("step", 0.0) <= static_cast<double>(step)) {
        lines += line + "\n";
      }
      begin = end + 1;
    }
    write_file_atomically(log_path, lines);
  }
  log_ = std::make_unique<FileWriter>(log_path, FileWriter::Mode::append);
}

void RunDirectory::log(const Json& event) {
  log_->write(dump_json(event) + "\n");
  log_->flush();
  std::vector<std::pair<std::string, double>> scalars;
  for (const auto& [key, value] : event.items()) {
    if (value.is_number() && key != "step") {
      scalars.emplace_back(event["event"].get<std::string>() + "/" + key, value.get<double>());
    }
  }
  events_->scalars(event["step"].get<int64_t>(), scalars);
}

void RunDirectory::log_histogram(int64_t step, const std::string& tag, const Histogram& histogram) {
  events_->histogram(step, tag, histogram);
}

void RunDirectory::start_events() {
  const int64_t resumed = resumed_step();
  events_ = std::make_unique<EventFile>(join_path(path_, "tensorboard"), resumed == 0 ? 0 : resumed + 1);
  if (resumed == 0) events_->text(0, "settings", markdown_table(*settings_));
}

}  // namespace roformer
