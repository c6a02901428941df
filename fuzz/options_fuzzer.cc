// Arguments (one per line) and a configuration file, separated by lines of "%%". Accepted settings survive a
// --dump-config round trip.
#include "cli/options.h"

#include <sstream>

#include "fuzz/fuzz.h"

namespace roformer::fuzz {

namespace {

struct Settings {
  std::string text;
  std::optional<std::string> maybe;
  int64_t whole = 3;
  std::optional<int64_t> maybe_whole;
  double real = 0.5;
  bool flag = false;
  std::string choice = "cpu";
  std::vector<std::string> files, words;
  std::vector<int64_t> lengths{1, 2};
  std::vector<std::string> positional;

  void describe(OptionSet& set) {
    set.add("--text", text, "a text");
    set.add("--maybe", maybe, "a text or none");
    set.add("--whole", whole, "a number", {0, 1000});
    set.add("--maybe-whole", maybe_whole, "a number or none");
    set.add("--real", real, "a number", {0, 1, true, false});
    set.add("--flag", flag, "a switch");
    set.add_choice("--choice", choice, {"cpu", "reference"}, "one of");
    set.add("--files", files, "some files");
    set.add_words("--words", words, "some words");
    set.add("--lengths", lengths, "some numbers", {1});
    set.add_positional("TEXT", positional, "the rest");
  }
};

std::vector<std::string> lines(std::string_view text) {
  std::vector<std::string> result;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    if (line.find('\0') == line.npos) result.emplace_back(line);  // an argument ends at its first NUL byte
    text = end == text.npos ? std::string_view() : text.substr(end + 1);
  }
  return result;
}

// What --dump-config prints for these arguments; false if --help was among them.
bool dump(std::vector<std::string> arguments, std::string& printed) {
  Settings settings;
  OptionSet set("fuzz", "Fuzzes");
  settings.describe(set);
  arguments.insert(arguments.begin(), "--dump-config");
  std::ostringstream out;
  require(!set.parse(arguments, out), "--dump-config ends the program");
  printed = out.str();
  return printed.starts_with("# roformer fuzz");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const Scratch& scratch = Scratch::get();
  const auto files = split_files(as_text(data, size), 2);
  scratch.put("settings.toml", files[1]);
  std::vector<std::string> arguments = lines(files[0]);
  if (std::filesystem::exists(scratch.path("settings.toml"))) {
    arguments.insert(arguments.begin(), {"--config-file", scratch.path("settings.toml")});
  }
  accepts([&] {
    std::string printed, again;
    if (!dump(arguments, printed)) return;
    scratch.put("dumped.toml", printed);
    require(dump({"--config-file", scratch.path("dumped.toml")}, again), "a dump is read as a configuration file");
    require(again == printed, "settings survive --dump-config");
  });
  return 0;
}

}  // namespace roformer::fuzz
