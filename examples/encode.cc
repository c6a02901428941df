// The hidden states of a text, a row for each token:  encode MODEL TEXT
#include <roformer/text_model.h>

#include <cmath>
#include <cstdio>

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: encode MODEL TEXT\n");
    return 2;
  }
  try {
    const auto model = roformer::TextModel::open(argv[1]);
    const auto tokens = model.tokenize(argv[2]).tokens;
    const roformer::Matrix states = model.encode(argv[2]);
    std::printf("%lld tokens x %lld\n", static_cast<long long>(states.rows), static_cast<long long>(states.columns));
    for (int64_t i = 0; i < states.rows; ++i) {
      double squares = 0;
      for (const float value : states.row(i)) squares += double{value} * value;
      std::printf("%-12s length %.3f, begins %.3f %.3f\n", tokens[static_cast<size_t>(i)].c_str(), std::sqrt(squares),
                  states.row(i)[0], states.row(i)[1]);
    }
  } catch (const roformer::Error& error) {
    std::fprintf(stderr, "encode: %s\n", error.what());
    return error.exit_code();
  }
}
