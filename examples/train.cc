// Trains a small model on the lines of a file:  train TOKENIZER FILE OUTPUT STEPS
#include <roformer/masked_language_trainer.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <vector>

int main(int argc, char** argv) {
  if (argc != 5) {
    std::fprintf(stderr, "usage: train TOKENIZER FILE OUTPUT STEPS\n");
    return 2;
  }
  try {
    std::vector<std::string> lines;
    std::ifstream file(argv[2]);
    for (std::string line; std::getline(file, line);) lines.push_back(line);
    auto trainer = roformer::MaskedLanguageTrainer::create(argv[1], {.hidden_size = 64, .layers = 2, .heads = 2},
                                                           {.learning_rate = 2e-3, .warmup = 20, .max_length = 64});
    std::printf("before: loss %.3f\n", trainer.validate(lines).loss);
    for (int step = 0; step < std::atoi(argv[4]); ++step) trainer.step(lines);
    const auto score = trainer.validate(lines);
    std::printf("after %lld steps: loss %.3f, accuracy %.1f %%\n", static_cast<long long>(trainer.steps()), score.loss,
                100 * score.accuracy);
    trainer.save(argv[3]);
  } catch (const roformer::Error& error) {
    std::fprintf(stderr, "train: %s\n", error.what());
    return error.exit_code();
  }
}
