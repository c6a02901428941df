// A grid of trainings written by hand, for the tests of its results and pages.
#pragma once

#include <fmt/format.h>

#include <string>
#include <vector>

#include "base/file.h"
#include "lab/grid_results.h"
#include "tests/base/temp_directory.h"

namespace roformer::test {

inline LengthScore length_score(const std::string& scaling, int64_t length, double loss,
                                std::vector<double> parts = {}) {
  return {.scaling = scaling,
          .length = length,
          .reason = {},
          .evaluation = {.loss = loss, .accuracy = loss / 10, .labels = 7},
          .position_loss = std::move(parts)};
}

inline LengthScore no_score(const std::string& scaling, int64_t length, const std::string& reason) {
  return {.scaling = scaling, .length = length, .reason = reason, .evaluation = {}, .position_loss = {}};
}

inline GridRun finished_run(const std::string& directory, int64_t seed, std::vector<LengthScore> lengths = {}) {
  return {.directory = directory,
          .seed = seed,
          .step = 0,  // of no report
          .steps = 4,
          .finished = true,
          .validation = {.loss = 2, .accuracy = 0.5, .labels = 0},
          .tokens_per_cpu_second = 100,
          .measure = {.jobs = 1, .peak_memory = {}},
          .lengths = std::move(lengths)};
}

// "rotary" of two seeds, evaluated at 32 and 64 tokens and scaled by YaRN; "learned" of one seed, at 32 only.
// Each run's directory has a log.
inline Grid small_grid(const TempDirectory& directory) {
  const auto run = [&](const std::string& name, int64_t seed, std::vector<LengthScore> lengths) {
    const std::string place = directory / name;
    make_directories(place);
    write_file_atomically(place + "/log.jsonl", fmt::format("{{\"event\":\"validation\",\"step\":2,\"loss\":{}}}\n"
                                                            "{{\"event\":\"validation\",\"step\":4,\"loss\":2}}\n",
                                                            2 + seed));
    return finished_run(place, seed, std::move(lengths));
  };
  Grid grid{.directory = directory.path(),
            .plan = {.objective = "mlm",
                     .positions = {"rotary", "learned"},
                     .seeds = {1, 2},
                     .max_length = 32,
                     .lengths = {32, 64}},
            .positions = {}};
  const std::string reason = "its table < 64";
  grid.positions.push_back({.position = "rotary",
                            .parameters = 1000,
                            .runs = {run("r1", 1,
                                         {length_score("", 32, 2, {2, 2}), length_score("", 64, 5, {2, 8}),
                                          length_score("yarn", 64, 3, {2, 4})}),
                                     run("r2", 2,
                                         {length_score("", 32, 3, {3, 3}), length_score("", 64, 7, {4, 10}),
                                          length_score("yarn", 64, 4, {0, 8})})},
                            .max_length = 32});
  grid.positions.push_back({.position = "learned",
                            .parameters = 1512,
                            .runs = {run("l1", 1, {length_score("", 32, 2.5, {2.5, 2.5}), no_score("", 64, reason)})},
                            .max_length = 32});
  return grid;
}

}  // namespace roformer::test
