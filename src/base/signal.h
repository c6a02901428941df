// Stopping on request: SIGINT (Ctrl-C) and SIGTERM (a scheduler) set a flag that long work polls, so that it can save
// first. A second Ctrl-C quits at once with exit code 130; a repeated SIGTERM does not, since launchers send several.
#pragma once

#include <signal.h>

namespace roformer {

// Catches the two signals while it lives, then restores what was there. Of several in a process, in any threads, the
// first does so and the last to go restores: one signal stops them all.
class InterruptGuard {
 public:
  InterruptGuard();
  ~InterruptGuard();
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;
};

// Whether a signal has come since there was no InterruptGuard. Cheap; any thread may ask.
bool interrupted();

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
// Called once by main(), first of all, so that Ctrl-C acts at once: ThreadPool holds signals back from the threads that
// compute, and one kernel over a very long text can take minutes.
void receive_signals_in_own_thread();

// Lets a write beyond `ulimit -f` fail with an error, which FileWriter reports, instead of killing the process. Called
// once by main().
void ignore_file_size_signal();

}  // namespace roformer
