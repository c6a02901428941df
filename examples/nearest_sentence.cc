// The lines of a file that are nearest to a query, by the cosine of their embeddings, one matrix:
//   nearest_sentence MODEL FILE QUERY
#include <roformer/text_model.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <numeric>

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: nearest_sentence MODEL FILE QUERY\n");
    return 2;
  }
  try {
    const auto model = roformer::TextModel::open(argv[1]);
    std::vector<std::string> lines;
    std::ifstream file(argv[2]);
    for (std::string line; std::getline(file, line);) lines.push_back(line);
    const auto vectors = model.embed(lines, {.normalize = true});
    const auto query = model.embed(argv[3], {.normalize = true});
    std::vector<std::pair<float, size_t>> order;
    for (size_t i = 0; i < lines.size(); ++i) {
      const auto vector = vectors.row(static_cast<int64_t>(i));
      order.push_back({std::inner_product(vector.begin(), vector.end(), query.values.begin(), 0.0f), i});
    }
    std::sort(order.rbegin(), order.rend());
    for (size_t i = 0; i < std::min<size_t>(3, order.size()); ++i) {
      std::printf("%.3f  %s\n", order[i].first, lines[order[i].second].c_str());
    }
  } catch (const roformer::Error& error) {
    std::fprintf(stderr, "nearest_sentence: %s\n", error.what());
    return error.exit_code();
  }
}
