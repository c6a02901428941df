// Every file of tests/hostile/files, given to the real program in the place that expected.tsv names, must end with the
// exit code and the reason that it names, in little memory.
#include <iterator>
#include <set>
#include <sstream>

#include "tests/cli/program.h"

namespace roformer::test {
namespace {

using ::testing::HasSubstr;

const std::string kFolder = ROFORMER_SOURCE_DIR "/tests/hostile/";

struct Row {
  std::string file;   // under files/
  std::string place;  // where the program finds it, relative to a directory with text.txt, tokenizer/ and model/
  int exit_code;
  std::string reason;   // part of what it must say
  std::string command;  // words; PRETRAIN DIR stands for the run that made model/
};

std::vector<Row> read_table() {
  std::vector<Row> rows;
  std::istringstream table(content(kFolder + "expected.tsv"));
  for (std::string line; std::getline(table, line);) {
    if (line.empty() || line[0] == '#') continue;
    std::istringstream fields(line);
    Row row;
    std::string exit_code;
    for (std::string* field : {&row.file, &row.place, &exit_code, &row.reason, &row.command}) {
      EXPECT_TRUE(std::getline(fields, *field, '\t')) << line;
    }
    row.exit_code = std::stoi(exit_code);
    rows.push_back(row);
  }
  return rows;
}

class Hostile : public Workshop {
 protected:
  Hostile() { succeed(tiny_run("model")); }

  Arguments tiny_run(const std::string& output, const Arguments& more = {}) const {
    return pretrain(output, Arguments{"--hidden-size", "8", "--layers", "1", "--max-length", "16", "--batch-tokens",
                                      "64", "--steps", "4", "--save-every", "2"} +
                                more);
  }

  Arguments arguments_of(const std::string& command) const {
    std::istringstream words(command);
    Arguments arguments{std::istream_iterator<std::string>(words), {}};
    if (arguments[0] != "PRETRAIN") return arguments;
    Arguments more(arguments.begin() + 2, arguments.end());
    return tiny_run(arguments[1], more);
  }

  void check(const Row& row) {
    const std::string spoilt = path(row.place), kept = path("kept");
    const bool copy = row.place.starts_with("model/");  // the program may change it
    if (copy) std::filesystem::copy(path("model"), kept, std::filesystem::copy_options::recursive);
    std::filesystem::create_directories(std::filesystem::path(spoilt).parent_path());
    if (!copy && exists(spoilt)) std::filesystem::rename(spoilt, kept);
    std::filesystem::copy_file(kFolder + "files/" + row.file, spoilt,
                               std::filesystem::copy_options::overwrite_existing);

    constexpr rlim_t kMemory = rlim_t{1} << 30;  // the sanitizers reserve terabytes
    Outcome outcome = run(arguments_of(row.command), {.input = {},
                                                      .file_limit = {},
                                                      .environment = {},
                                                      .memory_limit = kSanitized ? RLIM_INFINITY : kMemory,
                                                      .directory = path(".")});
    for (size_t at; (at = outcome.error.find(path(""))) != std::string::npos;) outcome.error.erase(at, path("").size());
    EXPECT_EQ(outcome.exit_code, row.exit_code) << outcome.error;
    EXPECT_THAT(outcome.error, HasSubstr(row.reason));
    EXPECT_LT(outcome.error.size(), 2000u);
    EXPECT_TRUE(row.exit_code == 0 || outcome.error.find("roformer: ") != std::string::npos);
    for (const char c : outcome.error) EXPECT_TRUE(c == '\n' || (c & 0xE0) != 0) << static_cast<int>(c);

    std::filesystem::remove_all(path("new"));
    std::filesystem::remove_all(copy ? path("model") : spoilt);
    if (exists(kept)) std::filesystem::rename(kept, copy ? path("model") : spoilt);
  }
};

TEST_F(Hostile, FilesAreRefusedWithTheirReason) {
  for (const Row& row : read_table()) {
    SCOPED_TRACE(row.file);
    check(row);
  }
}

TEST_F(Hostile, EveryFileIsInTheTable) {
  std::set<std::string> expected, present;
  for (const Row& row : read_table()) expected.insert(row.file);
  for (const auto& entry : std::filesystem::recursive_directory_iterator(kFolder + "files")) {
    if (entry.is_regular_file()) present.insert(entry.path().lexically_relative(kFolder + "files").string());
  }
  EXPECT_EQ(expected, present);
}

TEST_F(Hostile, WeightsThatAreNotNumbers) {
  const std::string weights = path("model/model.safetensors");
  std::string bytes = content(weights);
  uint64_t header;
  std::memcpy(&header, bytes.data(), sizeof header);
  std::fill(bytes.begin() + static_cast<std::ptrdiff_t>(8 + header), bytes.end(), '\xff');
  put(weights, bytes);
  expect_refused({"fill-mask", "--model", path("model"), "the [MASK]"}, 1, {"text 1", "not finite"});
}

TEST_F(Hostile, ThreadsThatCannotBeStarted) {
  if (kSanitized) GTEST_SKIP() << "the sanitizers reserve terabytes";
  put(path("ids.json"), R"({"input_ids":[[1,2,3]]})");
  for (int i = 0; i < 5; ++i) {  // stacks of 8 MB, and what goes wrong while threads start is a matter of timing
    const Outcome outcome = run(
        {"forward", "--model", path("model"), "--ids", path("ids.json"), "--output", path("out"), "--threads", "1024"},
        {.input = {}, .file_limit = {}, .environment = {}, .memory_limit = rlim_t{300} << 20});
    EXPECT_EQ(outcome.exit_code, 1) << outcome.error;
    EXPECT_THAT(outcome.error,
                ::testing::StartsWith("roformer: not enough address space for the stacks of 1024 threads"));
  }
}

}  // namespace
}  // namespace roformer::test
