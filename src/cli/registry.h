// The sub-commands of the program. Each is one file of this folder with a struct of options, a function that describes
// them and a function that does the work; registry.cc lists them all. Registration by static initializers was rejected:
// an explicit list also gives the order.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "cli/options.h"

namespace roformer {

struct Command {
  std::string name;     // "fill-mask"
  std::string summary;  // one line
  std::string group;    // heading in the list of commands
  std::string example;  // a command line to copy
  // Adds the options to the set and returns the work to do when they are parsed. Results go to std::cout, whose failure
  // throws; errors are exceptions.
  std::function<std::function<void()>(OptionSet&)> prepare;
};

// `prepare` from the two functions of a command file.
template <class Options>
std::function<std::function<void()>(OptionSet&)> prepare_with(void (*describe)(OptionSet&, Options&),
                                                              void (*run)(const Options&)) {
  return [describe, run](OptionSet& set) -> std::function<void()> {
    const auto options = std::make_shared<Options>();
    describe(set, *options);
    return [options, run] { run(*options); };
  };
}

// A page of `roformer help NAME` that belongs to no command. The one without a text is generated from all others
// (overview.h).
struct HelpTopic {
  std::string name, summary, text;
};

std::vector<Command> all_commands();
// Their options, with the defaults.
std::vector<OptionInfo> options_of(const Command& command);
std::vector<HelpTopic> all_help_topics();

}  // namespace roformer
