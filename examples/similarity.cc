// How similar two texts are: the cosine of their embeddings:  similarity MODEL TEXT TEXT
#include <roformer/text_model.h>

#include <cstdio>

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: similarity MODEL TEXT TEXT\n");
    return 2;
  }
  try {
    std::printf("%.6f\n", roformer::TextModel::open(argv[1]).similarity(argv[2], argv[3]));
  } catch (const roformer::Error& error) {
    std::fprintf(stderr, "similarity: %s\n", error.what());
    return error.exit_code();
  }
}
