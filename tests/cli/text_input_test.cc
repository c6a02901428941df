#include "cli/text_input.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "base/error.h"
#include "tests/base/temp_directory.h"
#include "tests/text/packed_text.h"

namespace roformer {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// Standard input reading from a text for the lifetime of the object.
class StandardInput {
 public:
  explicit StandardInput(const std::string& text) : old_(dup(STDIN_FILENO)) {
    const int memory = memfd_create("standard input", MFD_CLOEXEC);
    EXPECT_EQ(pwrite(memory, text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
    dup2(memory, STDIN_FILENO);
    ::close(memory);
  }
  ~StandardInput() {
    dup2(old_, STDIN_FILENO);
    ::close(old_);
  }

 private:
  int old_;
};

std::vector<std::string> read_texts(const TextInput& input) {
  TextReader reader(input);
  std::vector<std::string> texts;
  for (std::string text; reader.next(text);) texts.push_back(text);
  return texts;
}

TEST(TextInputTest, ArgumentsFileOrStandardInput) {
  EXPECT_THAT(read_texts({.texts = {"[a]", "b\nc", "-"}, .input = ""}), ElementsAre("[a]", "b\nc", "-"));
  const std::string content =
      "\xEF\xBB\xBF"
      "one\r\n\n[MASK], \"two\"";
  const TempDirectory directory;
  const std::string path = directory / "text_input_test.txt";
  std::ofstream(path, std::ios::binary) << content;
  const auto expected = ElementsAre("one", "", "[MASK], \"two\"");
  EXPECT_THAT(read_texts({.texts = {}, .input = path}), expected);
  for (const TextInput& input : {TextInput{}, TextInput{{"-"}, ""}, TextInput{{}, "-"}}) {
    const StandardInput standard_input(content);
    EXPECT_THAT(read_texts(input), expected);
  }
  EXPECT_THROW(read_texts({.texts = {"a"}, .input = path}), UsageError);
  std::remove(path.c_str());
  EXPECT_THROW(read_texts({.texts = {}, .input = path}), FileError);
}

TEST(TextInputTest, BadTextNamesItsPlace) {
  const auto failure = [](const TextInput& input) -> std::string {
    try {
      read_texts(input);
    } catch (const DataError& error) {
      return error.what();
    }
    return "no error";
  };
  EXPECT_THAT(failure({.texts = {"a", "b\xff"}, .input = ""}), HasSubstr("text 2"));
  {
    const StandardInput standard_input("a\nb\n\xC0\x80\n");
    EXPECT_THAT(failure({}), HasSubstr("standard input:3"));
  }
  const StandardInput standard_input(std::string((16 << 20) + 1, 'x'));
  EXPECT_THAT(failure({}), HasSubstr("standard input:1: line longer"));
}

TEST(TextInputTest, PackedStandardInputIsUnpacked) {
  for (const std::string& packed : {gzip("a\nb"), zstandard("a\nb"), bzip2("a\nb"), xz("a\nb")}) {
    const StandardInput standard_input(packed);
    TextReader reader({});
    std::string text;
    ASSERT_TRUE(reader.next(text));
    EXPECT_EQ(text, "a");
    ASSERT_TRUE(reader.next(text));
    EXPECT_EQ(text, "b");
    EXPECT_EQ(reader.location(), "standard input:2");
    EXPECT_FALSE(reader.next(text));
  }
}

TEST(TextInputTest, StandardInputThatIsNoTextIsRefused) {
  using namespace std::string_literals;
  for (const auto& [content, message] : {std::pair("PK\x03\x04\x14\0"s, "standard input: is a zip archive"),
                                         {"a\0b\0\n\0"s, "standard input: is text in UTF-16"},
                                         {"the king\0s"s, "standard input:1: holds a NUL byte"}}) {
    const StandardInput standard_input(content);
    try {
      read_texts({});
      FAIL() << message;
    } catch (const DataError& error) {
      EXPECT_THAT(error.what(), HasSubstr(message));
    }
  }
}

TEST(TextInputTest, PlacesOfItems) {
  const StandardInput standard_input("a\nb\n");
  TextReader reader({});
  std::string text;
  ASSERT_TRUE(reader.next(text));
  ASSERT_TRUE(reader.next(text));
  EXPECT_EQ(text, "b");
  EXPECT_EQ(reader.location(), "standard input:2");
  EXPECT_FALSE(reader.next(text));
}

TEST(TextInputTest, ItemsKnowTheirPlacesAndTheFileItsShare) {
  const TempDirectory directory;
  const std::string path = directory / "lines";
  std::ofstream(path) << "a\nb\n";
  TextReader reader({.texts = {}, .input = path});
  std::string text;
  while (reader.next(text)) EXPECT_TRUE(reader.ready());
  EXPECT_EQ(reader.location(1), path + ":1");
  EXPECT_EQ(reader.location(), path + ":2");
  EXPECT_EQ(reader.share(), 1.0);
  EXPECT_EQ(TextReader({.texts = {"x"}, .input = ""}).share(), std::nullopt);
}

// Both ends of a pipe.
struct Pipe {
  Pipe() { EXPECT_EQ(pipe(ends), 0); }
  ~Pipe() {
    for (const int end : ends) ::close(end);
  }
  void send(const std::string& text) const {
    EXPECT_EQ(write(ends[1], text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  int ends[2];
};

TEST(DescriptorLines, AreReadyWhenWhole) {
  Pipe pipe;
  DescriptorLines lines(pipe.ends[0], "pipe");
  std::string line;
  EXPECT_FALSE(lines.ready());
  pipe.send("on");
  EXPECT_FALSE(lines.ready());
  pipe.send("e\n\nthr");
  EXPECT_TRUE(lines.ready());
  EXPECT_TRUE(lines.next(line));
  EXPECT_EQ(line, "one");
  EXPECT_TRUE(lines.ready());
  EXPECT_TRUE(lines.next(line));
  EXPECT_EQ(line, "");
  EXPECT_FALSE(lines.ready());
  ::close(std::exchange(pipe.ends[1], -1));
  EXPECT_TRUE(lines.ready());
  EXPECT_TRUE(lines.next(line));
  EXPECT_EQ(line, "thr");
  EXPECT_TRUE(lines.ready());
  EXPECT_FALSE(lines.next(line));
}

TEST(DescriptorLines, AreManyAndUpToALimit) {
  constexpr size_t kLongest = 16 << 20;
  std::string text;
  for (int i = 0; i < 50'000; ++i) text += std::to_string(i) + "\n";
  text += std::string(kLongest, 'x') + "\n" + std::string(kLongest + 1, 'x') + "\n";
  text += "after\n" + std::string(2 * kLongest, 'x') + "\nlast\n";
  const StandardInput standard_input(text);
  DescriptorLines lines(STDIN_FILENO, "input");
  std::string line;
  for (int i = 0; i < 50'000; ++i) {
    ASSERT_TRUE(lines.next(line));
    ASSERT_EQ(line, std::to_string(i));
  }
  ASSERT_TRUE(lines.next(line));
  EXPECT_EQ(line.size(), kLongest);
  EXPECT_TRUE(lines.ready());  // to be refused
  try {
    lines.next(line);
    FAIL();
  } catch (const DataError& error) {
    EXPECT_THAT(error.what(), HasSubstr("input:50002: line longer than"));
  }
  // The next line is the one behind it.
  ASSERT_TRUE(lines.next(line));
  EXPECT_EQ(line, "after");
  EXPECT_THROW(lines.next(line), DataError);
  ASSERT_TRUE(lines.next(line));
  EXPECT_EQ(line, "last");
  EXPECT_FALSE(lines.next(line));
}

TEST(DescriptorLines, WaitingEndsWithARequestToStop) {
  const Pipe pipe;
  std::stop_source stop;
  DescriptorLines lines(pipe.ends[0], "pipe", stop.get_token());
  stop.request_stop();
  std::string line;
  EXPECT_THROW(lines.next(line), Interrupted);
}

}  // namespace
}  // namespace roformer
