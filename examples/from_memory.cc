// A model whose files are in memory, as in a program that carries them or receives them:  from_memory MODEL TEXT
#include <roformer/text_model.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: from_memory MODEL TEXT\n");
    return 2;
  }
  try {
    std::map<std::string, std::string> contents;  // must live as long as the model
    for (const auto& file : std::filesystem::directory_iterator(argv[1])) {
      if (!file.is_regular_file()) continue;
      std::ostringstream content;
      content << std::ifstream(file.path(), std::ios::binary).rdbuf();
      contents[file.path().filename()] = content.str();
    }
    const auto model = roformer::TextModel::open_memory({contents.begin(), contents.end()});
    const roformer::Matrix embeddings = model.embed({argv[2], "another text"});
    std::printf("%zu files, %lld x %lld, begins %.3f\n", contents.size(), static_cast<long long>(embeddings.rows),
                static_cast<long long>(embeddings.columns), embeddings.row(0)[0]);
  } catch (const roformer::Error& error) {
    std::fprintf(stderr, "from_memory: %s\n", error.what());
    return error.exit_code();
  }
}
