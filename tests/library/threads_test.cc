// One model, many threads; and signals while it computes.
#include <gtest/gtest.h>
#include <pthread.h>
#include <signal.h>
#include <sys/time.h>

#include <atomic>
#include <thread>

#include "roformer/text_model.h"
#include "tests/library/model_directories.h"

namespace roformer {
namespace {

std::vector<std::string> some_texts() {
  std::vector<std::string> texts;
  for (int i = 0; i < 10; ++i) {
    std::string text = "[MASK]";
    for (int j = 0; j <= 5 * i; ++j) text += " " + proverbs()[static_cast<size_t>((i + j) % 5)];
    texts.push_back(text);
  }
  return texts;
}

void expect_same_results(int model_threads) {
  const TempDirectory directory;
  const std::string path = make_model(directory, 2);
  const TextModel model = TextModel::open(path, {.threads = model_threads});
  const std::vector<std::string> texts = some_texts();
  std::vector<Matrix> states;
  std::vector<FilledMasks> filled;
  for (const std::string& text : texts) {
    states.push_back(model.encode(text));
    filled.push_back(model.fill_mask(text, 3));
  }
  const Matrix embedded = model.embed(texts, {.normalize = true});
  std::atomic<int> wrong{0};
  const auto work = [&](size_t thread) {
    for (size_t i = 0; i < texts.size(); ++i) {
      const size_t t = (i + thread) % texts.size();
      if (model.encode(texts[t]).values != states[t].values) ++wrong;
      const FilledMasks again = model.fill_mask(texts[t], 3);
      for (size_t c = 0; c < 3; ++c) {
        if (again[0][c].id != filled[t][0][c].id || again[0][c].score != filled[t][0][c].score) ++wrong;
      }
      if (model.tokenize(texts[t]).ids.size() != static_cast<size_t>(states[t].rows)) ++wrong;
    }
    if (model.embed(texts, {.normalize = true}).values != embedded.values) ++wrong;
  };
  std::vector<std::thread> threads;
  for (size_t i = 0; i < 8; ++i) threads.emplace_back(work, i);
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST(Threads, EachCallGivesWhatItGivesAlone) { expect_same_results(3); }

TEST(Threads, AlsoWithoutThreadsOfItsOwn) { expect_same_results(1); }

TEST(Threads, EachModelAndTrainerHasItsOwnThreads) {
  const TempDirectory directory;
  const std::string path = make_model(directory);
  const TextModel one = TextModel::open(path, {.threads = 1}), four = TextModel::open(path, {.threads = 4});
  auto trainer = MaskedLanguageTrainer::open(path, small_training());
  const auto expected = one.encode(proverbs());
  std::thread other([&] {
    for (int i = 0; i < 5; ++i) trainer.step(proverbs());
  });
  for (int i = 0; i < 5; ++i) {
    const auto found = four.encode(proverbs());
    EXPECT_EQ(found.values, expected.values);
  }
  other.join();
}

std::atomic<int64_t> alarms{0};

// Uses some stack, as handlers do: that is what would overwrite the heap.
void count_alarm(int) {
  volatile char frame[16384];
  for (size_t i = 0; i < sizeof(frame); ++i) frame[i] = 0x5a;
  alarms += frame[7] == 0x5a;
}

// A handler of the program that interrupts whatever thread will have it, thousands of times a second.
class FastAlarm {
 public:
  FastAlarm() {
    struct sigaction action {};
    action.sa_handler = count_alarm;
    action.sa_flags = SA_RESTART;
    ::sigaction(SIGALRM, &action, &before_);
    const itimerval often{{0, 500}, {0, 500}};
    ::setitimer(ITIMER_REAL, &often, nullptr);
  }
  ~FastAlarm() {
    const itimerval never{};
    ::setitimer(ITIMER_REAL, &never, nullptr);
    ::sigaction(SIGALRM, &before_, nullptr);
  }

 private:
  struct sigaction before_ {};
};

TEST(Threads, SignalHandlersDoNotDisturbTheComputation) {
  const TempDirectory directory;
  // Large enough to spend most of the time in matrix products.
  MaskedLanguageTrainer::create(make_tokenizer(directory), {.hidden_size = 256, .layers = 2}, small_training())
      .save(directory / "large");
  const TextModel model = TextModel::open(directory / "large", {.threads = 3});
  const std::vector<std::string> texts = some_texts();
  std::vector<Matrix> expected;
  for (const std::string& text : texts) expected.push_back(model.encode(text));
  alarms = 0;
  std::atomic<int> wrong{0};
  {
    const FastAlarm alarm;
    const auto work = [&] {
      for (int round = 0; round < 3; ++round) {
        for (size_t i = 0; i < texts.size(); ++i) wrong += model.encode(texts[i]).values != expected[i].values;
      }
    };
    std::vector<std::thread> threads;
    for (int i = 0; i < 3; ++i) threads.emplace_back(work);
    for (std::thread& thread : threads) thread.join();
  }
  EXPECT_EQ(wrong, 0);
  EXPECT_GT(alarms, 10);
}

}  // namespace
}  // namespace roformer
