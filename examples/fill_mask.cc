// Fills [MASK] in texts:  fill_mask MODEL TEXT...
#include <roformer/text_model.h>

#include <cstdio>
#include <string>
#include <vector>

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: fill_mask MODEL TEXT...\n");
    return 2;
  }
  try {
    const auto model = roformer::TextModel::open(argv[1]);
    const std::vector<std::string> texts(argv + 2, argv + argc);
    const auto filled = model.fill_mask(texts, 3);  // all texts in one pass
    for (size_t i = 0; i < texts.size(); ++i) {
      std::printf("%s\n", texts[i].c_str());
      for (const auto& candidates : filled[i]) {
        for (const auto& c : candidates) std::printf("  %.3f %s", c.score, c.token.c_str());
        std::printf("\n");
      }
    }
  } catch (const roformer::Error& error) {
    std::fprintf(stderr, "fill_mask: %s\n", error.what());
    return error.exit_code();
  }
}
