// What a model made of a few texts at the last validation: samples.json of a run's directory, shown in its report.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "report/html_page.h"

namespace roformer {

struct RunSamples {
  std::vector<std::string> columns;            // "source", "translation", "reference"
  std::vector<std::vector<std::string>> rows;  // as many texts each
};

void write_samples(const RunSamples& samples, const std::string& directory);

// None if there is no such file. DataError for a malformed one.
std::optional<RunSamples> read_samples(const std::string& directory);

}  // namespace roformer
