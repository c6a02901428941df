#include "base/file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>

#include "base/error.h"
#include "base/signal.h"
#include "tests/base/temp_directory.h"

namespace roformer {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

void put(const std::string& path, const std::string& content) { std::ofstream(path, std::ios::binary) << content; }

std::vector<std::string> names_in(const std::string& directory) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) names.push_back(entry.path().filename());
  std::sort(names.begin(), names.end());
  return names;
}

// The exit code of a child process that does `work`; 99 if an exception escaped.
int in_child(const std::function<int()>& work) {
  const pid_t child = ::fork();
  if (child == 0) {
    int code = 99;
    try {
      code = work();
    } catch (...) {
    }
    ::_exit(code);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(ReadFile, ReadsUpToTheCap) {
  TempDirectory directory;
  const std::string content = std::string("a\0b", 3) + std::string(600'000, 'x');
  put(directory / "f", content);
  EXPECT_EQ(read_file(directory / "f", static_cast<int64_t>(content.size())), content);
  EXPECT_THAT([&] { read_file(directory / "f", static_cast<int64_t>(content.size()) - 1); },
              ThrowsMessage<FileError>(HasSubstr("larger than 600002 bytes")));
  put(directory / "empty", "");
  EXPECT_EQ(read_file(directory / "empty", 0), "");
}

TEST(ReadFile, RefusesWhatIsNoFile) {
  TempDirectory directory;
  EXPECT_THAT([&] { read_file(directory.path(), 10); }, ThrowsMessage<FileError>(HasSubstr("Is a directory")));
  EXPECT_THAT([&] { read_file(directory / "absent", 10); },
              ThrowsMessage<FileError>(HasSubstr("absent': No such file or directory")));
  put(directory / "f", "x");
  EXPECT_THROW(read_file(directory / "f" + std::string("\0g", 2), 10), FileError);
  // An endless device is cut off at max_bytes.
  EXPECT_THAT([] { read_file("/dev/zero", 1000); }, ThrowsMessage<FileError>(HasSubstr("larger than 1000")));
}

TEST(MappedFile, MapsMovesAndTakesEmptyFiles) {
  TempDirectory directory;
  put(directory / "f", "hello");
  put(directory / "empty", "");
  MappedFile file(directory / "f");
  MappedFile moved(std::move(file));
  EXPECT_EQ(moved.view(), "hello");
  moved = MappedFile(directory / "empty");
  EXPECT_EQ(moved.size(), 0);
  EXPECT_NE(moved.data(), nullptr);
}

TEST(MappedFile, OutlivesReplacementByRename) {
  TempDirectory directory;
  write_file_atomically(directory / "f", "old");
  const MappedFile file(directory / "f");
  write_file_atomically(directory / "f", "");
  EXPECT_EQ(file.view(), "old");
}

TEST(MappedFile, RefusesDirectoriesPipesAndDevices) {
  TempDirectory directory;
  ASSERT_EQ(::mkfifo((directory / "pipe").c_str(), 0600), 0);
  EXPECT_THAT([&] { MappedFile{directory.path()}; }, ThrowsMessage<FileError>(HasSubstr("Is a directory")));
  EXPECT_THAT([&] { MappedFile{directory / "pipe"}; }, ThrowsMessage<FileError>(HasSubstr("not a regular file")));
  EXPECT_THAT([&] { MappedFile{"/dev/zero"}; }, ThrowsMessage<FileError>(HasSubstr("not a regular file")));
}

TEST(FileWriter, WritesSmallAndLargePiecesInOrder) {
  TempDirectory directory;
  std::string expected;
  FileWriter writer(directory / "f");
  for (int size : {1, 300'000, 7, 262'144, 262'143, 5, 0, 100'000, 100'000, 100'000}) {
    const std::string piece(static_cast<size_t>(size), static_cast<char>('a' + expected.size() % 26));
    writer.write(piece);
    expected += piece;
  }
  writer.close();
  EXPECT_EQ(writer.written(), static_cast<int64_t>(expected.size()));
  EXPECT_EQ(read_file(directory / "f", 1 << 24), expected);
}

TEST(FileWriter, ModesReplaceAppendAndCreate) {
  TempDirectory directory;
  const auto write = [&](FileWriter::Mode mode, std::string_view text) {
    FileWriter writer(directory / "f", mode);
    writer.write(text);
    writer.close();
    return read_file(directory / "f", 100);
  };
  EXPECT_EQ(write(FileWriter::Mode::create_new, "one"), "one");
  EXPECT_THAT([&] { write(FileWriter::Mode::create_new, "two"); }, ThrowsMessage<FileError>(HasSubstr("File exists")));
  EXPECT_EQ(write(FileWriter::Mode::append, "+two"), "one+two");
  EXPECT_EQ(write(FileWriter::Mode::replace, "3"), "3");
  FileWriter writer(directory / "f", FileWriter::Mode::extend);
  writer.write("45");
  writer.overwrite(0, "A");
  writer.close();
  EXPECT_EQ(read_file(directory / "f", 100), "A45");
}

TEST(FileWriter, GoesOnAfterAShortWrite) {
  // A signal during a write to a full pipe causes a short write.
  TempDirectory directory;
  const std::string pipe = directory / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  std::string content(1 << 20, '\0');
  for (size_t i = 0; i < content.size(); ++i) content[i] = static_cast<char>(i * 2654435761u >> 13);
  struct sigaction action {};
  action.sa_handler = [](int) {};
  struct sigaction before {};
  ::sigaction(SIGUSR1, &action, &before);
  const pid_t writer = ::getpid(), reader = ::fork();
  if (reader == 0) {
    std::ifstream input(pipe, std::ios::binary);
    std::string received;
    std::string piece(1 << 16, '\0');
    while (input.read(piece.data(), static_cast<std::streamsize>(piece.size())), input.gcount() > 0) {
      received.append(piece.data(), static_cast<size_t>(input.gcount()));
      ::usleep(1000);
      if (received.size() < content.size()) ::kill(writer, SIGUSR1);
    }
    ::_exit(received == content ? 0 : 1);
  }
  FileWriter file(pipe);
  file.write(content);
  file.close();
  int status = 0;
  ASSERT_EQ(TEMP_FAILURE_RETRY(::waitpid(reader, &status, 0)), reader);
  ::sigaction(SIGUSR1, &before, nullptr);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST(FileWriter, ReportsAFullDisk) {
  if (!std::filesystem::exists("/dev/full")) GTEST_SKIP() << "no /dev/full";
  const auto full = HasSubstr("cannot write '/dev/full': No space left on device");
  FileWriter flushed("/dev/full"), closed("/dev/full"), large("/dev/full");
  flushed.write("x");
  closed.write("x");
  EXPECT_THAT([&] { flushed.flush(); }, ThrowsMessage<FileError>(full));
  EXPECT_THAT([&] { closed.close(); }, ThrowsMessage<FileError>(full));
  EXPECT_THAT([&] { large.write(std::string(1 << 20, 'x')); }, ThrowsMessage<FileError>(full));
  EXPECT_THAT([&] { write_file_atomically("/dev/full", "x"); }, ThrowsMessage<FileError>(full));
}

TEST(FileWriter, NamesPathAndReasonWhenItCannotCreate) {
  TempDirectory directory;
  EXPECT_THAT([&] { FileWriter writer(directory / "no/such/f"); },
              ThrowsMessage<FileError>(AllOf(HasSubstr("no/such/f"), HasSubstr("No such file or directory"))));
}

TEST(AtomicFile, KeepsTheOldContentUntilCommit) {
  TempDirectory directory;
  write_file_atomically(directory / "f", "old");
  {
    AtomicFile file(directory / "f");
    file.writer().write("new");
    file.writer().flush();
    EXPECT_EQ(read_file(directory / "f", 100), "old");
    EXPECT_EQ(names_in(directory.path()).size(), 2u);
    EXPECT_TRUE(is_temporary_name(names_in(directory.path())[0]));
  }
  EXPECT_THAT(names_in(directory.path()), testing::ElementsAre("f"));
  write_file_atomically(directory / "f", "new");
  EXPECT_EQ(read_file(directory / "f", 100), "new");
  EXPECT_THAT(names_in(directory.path()), testing::ElementsAre("f"));
}

TEST(AtomicFile, FollowsSymbolicLinksAndRefusesDirectories) {
  TempDirectory directory;
  make_directories(directory / "there");
  put(directory / "there/f", "old");
  std::filesystem::create_symlink("there/f", directory / "link");
  write_file_atomically(directory / "link", "new");
  EXPECT_EQ(read_file(directory / "there/f", 100), "new");
  EXPECT_TRUE(std::filesystem::is_symlink(directory / "link"));
  EXPECT_THAT([&] { write_file_atomically(directory / "there", "x"); },
              ThrowsMessage<FileError>(HasSubstr("Is a directory")));
}

TEST(AtomicFile, AFailedWriteLeavesTheOldFileAndNothingElse) {
  TempDirectory directory;
  write_file_atomically(directory / "f", "old");
  const int code = in_child([&] {
    ignore_file_size_signal();
    const rlimit limit{1000, 1000};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    try {
      write_file_atomically(directory / "f", std::string(5000, 'x'));
    } catch (const FileError& error) {
      return std::string(error.what()).find("File too large") == std::string::npos ? 2 : 3;
    }
    return 0;
  });
  EXPECT_EQ(code, 3);
  EXPECT_EQ(read_file(directory / "f", 100), "old");
  EXPECT_THAT(names_in(directory.path()), testing::ElementsAre("f"));
}

TEST(Directories, AreMadeAndRefusedWithAReason) {
  TempDirectory directory;
  make_directories(directory / "a/b/c");
  make_directories(directory / "a/b/c");
  fsync_directory(directory / "a/b");
  put(directory / "a/f", "");
  EXPECT_THAT([&] { make_directories(directory / "a/f"); }, ThrowsMessage<FileError>(HasSubstr("Not a directory")));
  EXPECT_THAT([&] { make_directories(directory / "a/f/g"); }, ThrowsMessage<FileError>(HasSubstr("Not a directory")));
  EXPECT_THROW(fsync_directory(directory / "a/f"), FileError);
  EXPECT_EQ(parent_directory("f"), ".");
  EXPECT_EQ(parent_directory("a/f"), "a");
}

TEST(Paths, PlainFilenamesStayInTheirDirectory) {
  for (const std::string_view name : {"a", "a.b", "...", ".hidden"}) EXPECT_TRUE(is_plain_filename(name)) << name;
  for (const std::string_view name : {"", ".", "..", "a/b", "/", "../a"}) EXPECT_FALSE(is_plain_filename(name)) << name;
  EXPECT_FALSE(is_plain_filename(std::string_view("a\0b", 3)));
}

TEST(DirectoryLock, RefusesASecondProcessUntilTheFirstEnds) {
  TempDirectory directory;
  const auto try_lock = [&] {
    try {
      DirectoryLock lock(directory.path());
    } catch (const FileError& error) {
      return std::string(error.what()).find("another run is using") == std::string::npos ? 2 : 3;
    }
    return 0;
  };
  {
    DirectoryLock lock(directory.path());
    EXPECT_EQ(in_child(try_lock), 3);
  }
  EXPECT_EQ(in_child(try_lock), 0);
}

TEST(File, ADownloadIsSuggestedForNamesOfTheHubOnly) {
  TempDirectory directory;
  EXPECT_THAT(download_hint("junnyu/roformer_chinese_base"), HasSubstr("hf download junnyu/roformer_chinese_base "));
  for (const std::string& path :
       {std::string("model"), std::string("./model"), std::string("../owner/model"), std::string("/owner"),
        std::string("owner/"), std::string("a/b/c"), std::string("an owner/model"), directory / "model"}) {
    EXPECT_EQ(download_hint(path), "") << path;
  }
}

TEST(DirectoryLock, EndsWithAKilledProcess) {
  TempDirectory directory;
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    DirectoryLock lock(directory.path());
    const bool told = ::write(ready[1], "x", 1) == 1;
    while (told) ::pause();
    ::_exit(1);
  }
  char byte;
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  EXPECT_THROW(DirectoryLock{directory.path()}, FileError);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  EXPECT_NO_THROW(DirectoryLock{directory.path()});
  ::close(ready[0]);
  ::close(ready[1]);
}

}  // namespace
}  // namespace roformer
