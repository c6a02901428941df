// Shows the tokens of a text and where they are in it:  tokenize DIRECTORY TEXT [PAIR]
#include <roformer/text_tokenizer.h>

#include <cstdio>

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: tokenize DIRECTORY TEXT [PAIR]\n");
    return 2;
  }
  try {
    const auto tokenizer = roformer::TextTokenizer::open(argv[1]);
    roformer::TokenizeOptions options;
    if (argc > 3) options.pair = argv[3];
    const roformer::TokenizedText text = tokenizer.tokenize(argv[2], options);
    for (size_t i = 0; i < text.ids.size(); ++i) {
      std::printf("%6d  segment %d  [%2lld, %2lld)  %s\n", text.ids[i], text.segment_ids[i],
                  static_cast<long long>(text.offsets[i][0]), static_cast<long long>(text.offsets[i][1]),
                  text.tokens[i].c_str());
    }
    std::printf("decoded: %s\n", tokenizer.decode(text.ids).c_str());
  } catch (const roformer::Error& error) {
    std::fprintf(stderr, "tokenize: %s\n", error.what());
    return error.exit_code();
  }
}
