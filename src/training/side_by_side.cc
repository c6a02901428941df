#include "training/side_by_side.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/usable_cpus.h"

namespace roformer {

void train_side_by_side(int64_t count, const SideBySide& options, const std::function<void(int64_t)>& train) {
  std::atomic<int64_t> next{0};
  std::atomic<bool> stop{false};
  std::mutex mutex;
  std::exception_ptr failure;
  const auto work = [&] {
    for (int64_t i; !stop && !options.stop_token.stop_requested() && (i = next++) < count;) {
      try {
        train(i);
      } catch (const Interrupted&) {
        stop = true;
      } catch (...) {
        stop = true;
        const std::lock_guard lock(mutex);
        if (!failure) failure = std::current_exception();
      }
    }
  };
  std::vector<std::thread> workers;
  try {
    for (int64_t i = 1; i < std::min(options.jobs, count); ++i) workers.emplace_back(work);
  } catch (const std::system_error& error) {  // fewer threads suffice
    options.messages.write(fmt::format("only {} jobs could be started: {}\n", workers.size() + 1, error.what()));
  }
  work();
  for (std::thread& worker : workers) worker.join();
  if (failure) std::rethrow_exception(failure);
  if (options.stop_token.stop_requested()) {
    throw Interrupted("interrupted; running trainings are saved. Run the same command again to resume");
  }
}

int threads_of_each(int64_t threads, int64_t jobs) {
  return static_cast<int>(std::max<int64_t>(1, (threads > 0 ? threads : usable_cpus()) / jobs));
}

Progress::Output named_lines(Progress::Output output, const std::string& name) {
  output.style.interactive = false;
  output.write = [name, write = std::move(output.write)](std::string_view text) {
    write(fmt::format("{}: {}", name, text));
  };
  return output;
}

}  // namespace roformer
