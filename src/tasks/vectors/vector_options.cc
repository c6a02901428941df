#include "tasks/vectors/vector_options.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <string_view>

#include "base/error.h"
#include "base/json.h"
#include "data/labeled/tasks.h"

namespace roformer {

namespace {

std::optional<double> parse_real(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) return std::nullopt;
  return value;
}

}  // namespace

SimilarityUse similarity_use(const std::string& task) {
  SimilarityUse use;
  if (task.empty()) return use;
  const Task& found = find_task(task);
  const bool scores = found.kind == TaskKind::pair_similarity, contrast = found.kind == TaskKind::contrastive;
  if (!scores && !contrast) use.of_vectors = Unused{"task", "is not one of sentence vectors"};
  if (!scores) use.of_scores = Unused{"task", "is not pair-similarity"};
  if (!contrast || found.generates) use.of_negatives = Unused{"task", "is not contrastive"};
  return use;
}

std::vector<VectorSize> vector_sizes(const std::string& matryoshka, int64_t width) {
  if (matryoshka.empty()) return {{}};
  std::vector<VectorSize> sizes;
  const auto refuse = [&](std::string_view part) {
    throw UsageError(
        "{} is {}: {} is not a number from 1 to {}, the length of the model's vectors, each once, perhaps "
        "with a weight above 0, as {}:0.5",
        FieldName("matryoshka"), quote(matryoshka), quote(part), width, std::max<int64_t>(1, width / 2));
  };
  for (size_t begin = 0; begin <= matryoshka.size();) {
    const size_t end = std::min(matryoshka.find(',', begin), matryoshka.size());
    const std::string_view part = std::string_view(matryoshka).substr(begin, end - begin);
    const size_t colon = std::min(part.find(':'), part.size());
    VectorSize size;
    const char* stop = part.data() + colon;
    const auto [read, error] = std::from_chars(part.data(), stop, size.dimensions);
    const auto weight = colon < part.size() ? parse_real(part.substr(colon + 1)) : 1;
    const bool repeated = std::ranges::find(sizes, size.dimensions, &VectorSize::dimensions) != sizes.end();
    if (error != std::errc() || read != stop || size.dimensions < 1 || size.dimensions > width || repeated || !weight ||
        *weight <= 0) {
      refuse(part);
    }
    size.weight = *weight;
    sizes.push_back(size);
    begin = end + 1;
  }
  return sizes;
}

std::optional<ScoreRange> parse_score_range(const std::string& range) {
  if (range == "automatic") return std::nullopt;
  const size_t colon = std::min(range.find(':'), range.size());
  const auto low = parse_real(std::string_view(range).substr(0, colon));
  const auto high =
      colon < range.size() ? parse_real(std::string_view(range).substr(colon + 1)) : std::optional<double>();
  if (!low || !high || *low >= *high) {
    throw UsageError("{} is {}, expected automatic or two numbers, the lesser first, as 0:5", FieldName("score_range"),
                     quote(range));
  }
  return ScoreRange{*low, *high};
}

}  // namespace roformer
