// The program: finds the sub-command, parses its options, runs it, and turns whatever goes wrong into one line on
// standard error, with fields spelled as the user wrote them (--max-length, ROFORMER_MAX_LENGTH), and an exit
// code: 0 done, 1 failed, 2 wrong usage, 130 interrupted after saving.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <exception>
#include <functional>
#include <iostream>
#include <memory>
#include <new>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/inapplicable_error.h"
#include "base/json.h"
#include "base/signal.h"
#include "cli/did_you_mean.h"
#include "cli/options.h"
#include "cli/overview.h"
#include "cli/registry.h"
#include "cli/setting_options.h"

namespace roformer {
namespace {

// How messages spell a field.
using Spelling = std::function<std::string(const std::string& field)>;

// The options that an error names and the environment set; none if no other one is to blame.
std::vector<std::string> blamed_variables(const InapplicableError& error, const OptionSet& options) {
  std::vector<std::string> variables;
  size_t given = 0;
  error.message([&](const std::string& field) {
    const std::string name = option_name(field);
    if (options.given(name)) ++given;
    if (options.given_in_environment(name)) variables.push_back(name);
    return name;
  });
  return given == variables.size() && given > 1 ? std::vector<std::string>() : variables;
}

// Runs the work; if that finds, which it does before it has done anything, that a variable does not apply, once more
// without this variable.
void run_command(const Command& command, std::span<const std::string> arguments, std::span<const std::string> commands,
                 Spelling& spelling) {
  std::vector<std::string> ignored;
  while (true) {
    const auto options = std::make_shared<OptionSet>(command.name, command.summary, command.example);
    const std::function<void()> work = command.prepare(*options);
    options->ignore_variables(ignored);
    spelling = [work, options](const std::string& field) { return options->spelled(option_name(field)); };
    if (!options->parse(arguments, std::cout, commands)) return;
    try {
      return work();
    } catch (const InapplicableError& error) {
      const auto more = blamed_variables(error, *options);
      if (more.empty()) throw;
      ignored.insert(ignored.end(), more.begin(), more.end());
    }
  }
}

void dispatch(std::span<const std::string> arguments, Spelling& spelling) {
  const std::string word = arguments.empty() ? "help" : arguments[0];
  if (word == "--version" || word == "-V") {
    std::cout << "roformer " ROFORMER_VERSION "\n";
    return;
  }
  const bool help = word == "help" || word == "--help" || word == "-h";
  if (help && arguments.size() < 2) {
    std::cout << overview();
    return;
  }
  const std::string& name = help ? arguments[1] : word;

  const std::vector<Command> commands = all_commands();
  std::vector<std::string> names;
  for (const Command& command : commands) names.push_back(command.name);
  for (const Command& command : commands) {
    if (command.name != name) continue;
    const std::vector<std::string> only_help = {"--help"};
    return run_command(command, help ? only_help : arguments.subspan(1), names, spelling);
  }
  if (help) {
    for (const HelpTopic& topic : all_help_topics()) {
      names.push_back(topic.name);
      if (topic.name != name) continue;
      std::cout << (topic.text.empty() ? reference() : topic.text);
      return;
    }
  }
  names.insert(names.end(), {"help", "--help", "--version"});
  throw UsageError("unknown {} {}{}",
                   name.starts_with("-") ? "option"
                   : help                ? "command or topic"
                                         : "command",
                   quote(name), did_you_mean(name, names));
}

// A closed standard descriptor would be given to the next file opened, and results or errors would be written into it.
// A read-only stand-in makes such writes fail instead.
void occupy_standard_descriptors() {
  while (true) {
    const int descriptor = open("/dev/null", O_RDONLY);
    if (descriptor > STDERR_FILENO) close(descriptor);
    if (descriptor > STDERR_FILENO || descriptor < 0) return;
  }
}

int failed(std::string_view message, int exit_code) {
  std::cerr << "roformer: " << message << std::endl;
  return exit_code;
}

// Errors that no handler can catch, such as oneTBB's failure to start a thread, also end with a message instead of a
// core dump. Several threads may get here at once.
[[noreturn]] void end_with_reason() {
  static std::atomic_flag entered = ATOMIC_FLAG_INIT;
  while (entered.test_and_set()) pause();
  std::string reason = "terminated for an unknown reason";
  try {
    if (const std::exception_ptr error = std::current_exception()) std::rethrow_exception(error);
  } catch (const std::exception& error) {
    reason = error.what();
  } catch (...) {
    // the reason above applies
  }
  failed(reason, 1);
  _exit(1);
}

int run_program(std::span<const std::string> arguments) {
  Spelling spelling = option_name;
  try {
    dispatch(arguments, spelling);
    std::cout.flush();
    return 0;
  } catch (const Error& error) {
    return failed(error.message(spelling), error.exit_code());
  } catch (const std::ios_base::failure& error) {
    const int reason = errno;
    if (std::cout) return failed(error.what(), 1);
    if (reason == EPIPE) return 1;  // the reader has closed the pipe, as after `| head`: not worth a message
    return failed(fmt::format("standard output cannot be written: {}", std::strerror(reason)), 1);
  } catch (const std::bad_alloc&) {
    return failed("out of memory", 1);
  } catch (const std::exception& error) {
    return failed(error.what(), 1);
  }
}

}  // namespace
}  // namespace roformer

int main(int argc, char** argv) {
  std::set_terminate(roformer::end_with_reason);
#ifdef __x86_64__
  // What CMakeLists.txt compiles for.
  if (!__builtin_cpu_supports("sse4.2") || !__builtin_cpu_supports("aes") || !__builtin_cpu_supports("pclmul")) {
    return roformer::failed("this CPU is not supported: x86-64-v2 with AES and PCLMULQDQ is required", 1);
  }
#endif
  roformer::occupy_standard_descriptors();
  roformer::receive_signals_in_own_thread();
  roformer::ignore_file_size_signal();
  std::ios::sync_with_stdio(false);
  std::cout.exceptions(std::ios::badbit);
  std::cerr.tie(nullptr);  // else a message would flush std::cout and throw if std::cout is what failed
  const std::vector<std::string> arguments(argv + std::min(argc, 1), argv + argc);
  return roformer::run_program(arguments);
}
