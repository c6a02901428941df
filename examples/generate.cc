// Continues a text as it is generated:  generate MODEL PROMPT [MAX_NEW_TOKENS]
#include <roformer/text_model.h>

#include <cstdio>
#include <cstdlib>

int main(int argc, char** argv) {
  if (argc != 3 && argc != 4) {
    std::fprintf(stderr, "usage: generate MODEL PROMPT [MAX_NEW_TOKENS]\n");
    return 2;
  }
  try {
    const auto model = roformer::TextModel::open(argv[1]);
    roformer::TextGenerationOptions options{.temperature = 0.8, .top_p = 0.95, .seed = 1};
    if (argc == 4) options.max_new_tokens = std::atoi(argv[3]);
    options.on_text = [](size_t, const std::string& text) {
      std::fputs(text.c_str(), stdout);
      std::fflush(stdout);
    };
    model.generate(argv[2], options);
    std::printf("\n");
  } catch (const roformer::Error& error) {
    std::fprintf(stderr, "generate: %s\n", error.what());
    return error.exit_code();
  }
}
