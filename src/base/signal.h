// What signals mean to a program: SIGINT (Ctrl-C) and SIGTERM (a scheduler) ask its long work to stop, so that it can
// save first. A second Ctrl-C quits at once with exit code 130; a repeated SIGTERM does not, since launchers send
// several. The rooms below the command line know a std::stop_token and no signals.
#pragma once

#include <signal.h>

#include <stop_token>

namespace roformer {

// While it lives the two signals request a stop of its token instead of ending the process; then what was there before
// is restored. One signal stops all that live. (In a process that can start no thread they end it at once.)
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

// While it lives no signal from outside interrupts this thread: all are blocked but those that the thread's own faults
// raise. One that comes meanwhile goes to another thread or waits until the end. Nests. ThreadPool computes under it,
// so that handlers of the program around us run on its own threads and never in the middle of a kernel.
class SignalBlock {
 public:
  SignalBlock();
  ~SignalBlock();
  SignalBlock(const SignalBlock&) = delete;
  SignalBlock& operator=(const SignalBlock&) = delete;

 private:
  sigset_t before_;
};

// The same for the rest of the thread's life.
void block_signals();

// From here on a thread of its own receives SIGINT and SIGTERM; the caller and the threads it starts later never do.
// Called by main(), first of all, so that Ctrl-C acts at once: ThreadPool holds signals back from the threads that
// compute, and one kernel over a very long text can take minutes. False if there is no thread to be had. Calling it
// again does nothing.
bool receive_signals_in_own_thread();

// Lets a write beyond `ulimit -f` fail with an error, which FileWriter reports, instead of killing the process. Called
// once by main().
void ignore_file_size_signal();

}  // namespace roformer
