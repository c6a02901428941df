// Large allocations of a training step after the first: only attention's scratch memory.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <new>
#include <vector>

#include "training/optimizer.h"

namespace {

constexpr std::size_t kLarge = 4096;  // bytes; lists of a step's operators and token indices are smaller here
std::atomic<int64_t> large_blocks{0};

void* take(std::size_t bytes) {
  if (bytes >= kLarge) ++large_blocks;
  if (void* block = std::malloc(bytes == 0 ? 1 : bytes)) return block;
  throw std::bad_alloc();
}

void* take(std::size_t bytes, std::align_val_t alignment) {
  if (bytes >= kLarge) ++large_blocks;
  const auto step = static_cast<std::size_t>(alignment);
  if (void* block = std::aligned_alloc(step, (bytes + step) / step * step)) return block;
  throw std::bad_alloc();
}

}  // namespace

void* operator new(std::size_t bytes) { return take(bytes); }
void* operator new(std::size_t bytes, std::align_val_t alignment) { return take(bytes, alignment); }
// The nothrow forms (std::stable_sort) must match the replaced deallocation.
void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept {
  if (bytes >= kLarge) ++large_blocks;
  return std::malloc(bytes == 0 ? 1 : bytes);
}
void operator delete(void* block, const std::nothrow_t&) noexcept { std::free(block); }
void operator delete(void* block) noexcept { std::free(block); }
void operator delete(void* block, std::size_t) noexcept { std::free(block); }
void operator delete(void* block, std::align_val_t) noexcept { std::free(block); }
void operator delete(void* block, std::size_t, std::align_val_t) noexcept { std::free(block); }

namespace roformer::test {
namespace {

TEST(TrainingMemory, LaterStepsAllocateOnlyAttentionScratch) {
  ThreadPool pool(1);
  const std::unique_ptr<Backend> backend = make_cpu_backend(pool);
  ModelConfig config;
  config.vocabulary = 500;
  config.hidden = config.embedding = 64;
  config.layers = 2;
  config.heads = 2;
  config.intermediate = 256;
  complete(config, "");
  Model model(*backend, config, true);
  model.initialize({1, 0});
  const auto optimizer = make_optimizer(model, {});
  Batch batch;
  const std::vector<int32_t> long_ids(200, 7), short_ids(56, 9);
  batch.append(long_ids);
  batch.append(short_ids);
  const std::vector<int32_t> rows{1, 5, 199, 220}, labels{7, 8, 9, 10};
  for (int64_t step = 1; step <= 4; ++step) {
    const int64_t before = large_blocks;
    optimizer->zero_gradients();
    Tape tape;
    const Context context{*backend, &tape, {1, static_cast<uint64_t>(step)}, true};
    const Value hidden = gather_rows(context, model.trunk().forward(context, batch), rows);
    model.mlm_head().loss(context, hidden, model.trunk().word_embeddings(), {labels, 0.25});
    tape.backward();
    optimizer->step(step, 1e-3, optimizer->gradient_norm());
    constexpr int64_t kScratchBuffers = 17;  // of one layer's attention, forward and backward, one thread: and a worker
    if (step >= 3) {
      EXPECT_LE(large_blocks - before, kScratchBuffers * config.layers) << "in step " << step;
    }
  }
}

}  // namespace
}  // namespace roformer::test
