// Signal handling: SIGINT (Ctrl-C) and SIGTERM (a scheduler) request a stop of long work, so that it can save first. A
// second Ctrl-C exits at once with code 130; a repeated SIGTERM does not, since launchers send several. Modules below
// the command line see a std::stop_token, not signals.
#pragma once

#include <signal.h>

#include <stop_token>

namespace roformer {

// While an instance exists, both signals request a stop of its token instead of ending the process; the previous
// handlers are restored afterwards. One signal stops all instances. (If no thread can be started, signals end the
// process at once.)
class StopOnSignal {
 public:
  StopOnSignal();
  ~StopOnSignal();
  StopOnSignal(const StopOnSignal&) = delete;
  StopOnSignal& operator=(const StopOnSignal&) = delete;

  std::stop_token token() const { return source_.get_token(); }

 private:
  std::stop_source source_;
};

// Blocks all signals for this thread except those raised by its own faults. Signals that arrive meanwhile go to another
// thread or stay pending. Can be nested. ThreadPool uses it so that handlers of a host program run on the host's
// threads, never in the middle of a kernel.
class SignalBlock {
 public:
  SignalBlock();
  ~SignalBlock();
  SignalBlock(const SignalBlock&) = delete;
  SignalBlock& operator=(const SignalBlock&) = delete;

 private:
  sigset_t before_;
};

// The same until the thread ends, or within a SignalBlock until that ends.
void block_signals();

// Starts a dedicated thread that receives SIGINT and SIGTERM; the caller and the threads it starts later never do.
// Called first in main(), so that Ctrl-C acts at once: ThreadPool blocks signals in computing threads, and one kernel
// over a very long text can take minutes. False if no thread can be started. Idempotent.
bool receive_signals_in_own_thread();

// Makes a write beyond `ulimit -f` fail with an error, which FileWriter reports, instead of killing the process. Called
// once by main().
void ignore_file_size_signal();

}  // namespace roformer
