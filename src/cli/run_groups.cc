#include "cli/run_groups.h"

#include <algorithm>
#include <filesystem>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "cli/option_values.h"
#include "lab/grid_results.h"
#include "tasks/finetune_grid_page.h"

namespace roformer {
namespace {

bool is_run(const std::string& directory) { return exists(join_path(directory, "log.jsonl")); }

// The variants of a grid, by name.
std::vector<RunGroup> grid_groups(const std::string& directory) {
  std::vector<RunGroup> groups;
  for (const GridPosition& position : read_grid(directory).positions) {
    RunGroup group{.name = position.position, .directories = {}};
    for (const GridRun& run : position.runs) {
      if (run.step > 0) group.directories.push_back(run.directory);
    }
    if (!group.directories.empty()) groups.push_back(std::move(group));
  }
  if (groups.empty()) throw FileError("{}: none of its trainings has started", FilePath(directory));
  return groups;
}

// The learning rates of several runs of finetune.
std::vector<RunGroup> finetune_groups(const std::string& directory) {
  ThreadPool pool(1);
  std::vector<RunGroup> groups = finetune_run_groups(read_finetune_grid(directory, pool));
  if (groups.empty()) throw FileError("{}: none of its trainings has started", FilePath(directory));
  return groups;
}

// A group for each training directory in this one.
std::vector<RunGroup> groups_inside(const std::string& directory) {
  std::vector<RunGroup> groups;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(directory, error)) {
    const std::string run = join_path(directory, entry.path().filename().string());
    if (is_run(run)) groups.push_back({.name = short_name(run), .directories = {run}});
  }
  if (groups.empty()) {
    throw FileError(
        "{}: contains neither a log.jsonl, as a training directory does, nor training directories; report --text shows "
        "a model directory",
        FilePath(directory));
  }
  std::ranges::sort(groups, {}, &RunGroup::name);
  return groups;
}

std::vector<RunGroup> groups_of(const std::string& directory) {
  if (is_run(directory)) return {{.name = directory, .directories = {directory}}};
  if (is_finetune_grid(directory)) return finetune_groups(directory);
  return is_grid(directory) ? grid_groups(directory) : groups_inside(directory);
}

RunGroup named_group(const std::string& text, size_t equals) {
  std::vector<std::string> directories = split_at_commas(text.substr(equals + 1));
  if (equals == 0 || std::ranges::find(directories, "") != directories.end()) {
    throw UsageError("{} names no run, expected DIR or NAME=DIR,DIR,...", quote(text));
  }
  RunGroup group{.name = text.substr(0, equals), .directories = {}};
  for (const std::string& directory : directories) {
    for (const RunGroup& part : groups_of(directory)) {
      group.directories.insert(group.directories.end(), part.directories.begin(), part.directories.end());
    }
  }
  return group;
}

}  // namespace

std::vector<RunGroup> parse_run_groups(const std::vector<std::string>& texts) {
  std::vector<RunGroup> groups;
  for (const std::string& text : texts) {
    if (text.empty()) throw UsageError("{} names no run, expected DIR or NAME=DIR,DIR,...", quote(text));
    const size_t equals = text.find('=');
    if (equals != std::string::npos && !exists(text)) {
      groups.push_back(named_group(text, equals));
      continue;
    }
    for (RunGroup& group : groups_of(text)) {
      // Several grids may have variants of one name.
      if (texts.size() > 1 && !is_run(text)) group.name = join_path(short_name(text), group.name);
      groups.push_back(std::move(group));
    }
  }
  const auto short_names = [&](const std::string& name) {
    return std::ranges::count_if(groups, [&](const auto& group) { return short_name(group.name) == short_name(name); });
  };
  std::vector<RunGroup> named = groups;
  for (RunGroup& group : named) {
    if (group.directories.front() == group.name && short_names(group.name) == 1) group.name = short_name(group.name);
  }
  return named;
}

bool are_compared(const std::vector<RunGroup>& groups) {
  const auto compared = [](const std::string& run) {
    return is_grid(std::filesystem::path(join_path(run, "x")).parent_path().parent_path().string());
  };
  return std::ranges::any_of(groups,
                             [&](const RunGroup& group) { return std::ranges::any_of(group.directories, compared); });
}

}  // namespace roformer
