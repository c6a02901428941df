// One model, four threads: each embeds its own lines of a file, and every vector has the same bits as when it is
// computed alone:  four_threads MODEL FILE
#include <roformer/text_model.h>

#include <cstdio>
#include <exception>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: four_threads MODEL FILE\n");
    return 2;
  }
  try {
    // One thread of the program per request: the model needs none of its own.
    const auto model = roformer::TextModel::open(argv[1], {.threads = 1});
    std::vector<std::string> lines;
    std::ifstream file(argv[2]);
    for (std::string line; std::getline(file, line);) lines.push_back(line);

    constexpr size_t kThreads = 4;
    std::vector<roformer::TextEmbedding> vectors(lines.size());
    std::vector<std::exception_ptr> errors(kThreads);
    std::vector<std::thread> threads;
    for (size_t first = 0; first < kThreads; ++first) {
      threads.emplace_back([&, first] {
        try {
          for (size_t i = first; i < lines.size(); i += kThreads) vectors[i] = model.embed(lines[i]);
        } catch (...) {
          errors[first] = std::current_exception();
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    for (const std::exception_ptr& error : errors) {
      if (error) std::rethrow_exception(error);
    }

    size_t equal = 0;
    for (size_t i = 0; i < lines.size(); ++i) equal += model.embed(lines[i]).values == vectors[i].values;
    std::printf("%zu of %zu vectors have the same bits as alone\n", equal, lines.size());
    return equal == lines.size() ? 0 : 1;
  } catch (const roformer::Error& error) {
    std::fprintf(stderr, "four_threads: %s\n", error.what());
    return error.exit_code();
  }
}
