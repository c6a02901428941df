// Backends by name, and plug-ins.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "backend/registry.h"
#include "base/error.h"
#include "base/file.h"
#include "tests/base/temp_directory.h"

namespace roformer::test {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsSupersetOf;
using ::testing::Not;
using ::testing::ThrowsMessage;

class Plugins : public ::testing::Test {
 protected:
  Plugins() { search(ROFORMER_PLUGINS); }
  ~Plugins() override { unsetenv("ROFORMER_BACKEND_PATH"); }

  static void search(const std::string& path) { setenv("ROFORMER_BACKEND_PATH", path.c_str(), 1); }
  static void expect_refused(const std::string& name, const std::string& reason) {
    ThreadPool pool(1);
    EXPECT_THAT([&] { make_backend(name, pool); }, ThrowsMessage<UsageError>(HasSubstr(reason))) << name;
  }

  TempDirectory directory_;
};

TEST_F(Plugins, AreFoundByName) {
  EXPECT_THAT(backend_names(), IsSupersetOf({"cpu", "protected", "reference"}));
  ThreadPool pool(1);
  for (int i = 0; i < 2; ++i) EXPECT_EQ(make_backend("protected", pool)->name(), "protected");
  search(directory_ / "");
  EXPECT_EQ(make_backend("protected", pool)->name(), "protected") << "it stays loaded";
}

TEST_F(Plugins, AnUnknownNameIsToldWhatThereIs) {
  expect_refused("abacus", "device is 'abacus'; expected one of ");
  expect_refused("abacus", "cpu, ");
  expect_refused("abacus", "protected, reference");
  for (const char* name : {"", "../protected", "protected/", "Protected", ".", "protected.so"}) {
    expect_refused(name, "device is '");
  }
}

TEST_F(Plugins, ThatAreNoneAreRefused) {
  write_file_atomically(directory_ / "libroformer_text.so", "not a library");
  std::filesystem::copy_file(std::string(ROFORMER_PLUGINS) + "/libroformer_protected.so",
                             directory_ / "libroformer_renamed.so");
  search(std::string("::") + directory_.path() + ":" + ROFORMER_PLUGINS + ":");
  expect_refused("text", "libroformer_text.so: ");
  expect_refused("renamed", "libroformer_renamed.so: the backend 'protected', expected 'renamed'");
  expect_refused("old", "libroformer_old.so: a backend for interface 0, expected ");
  expect_refused("empty", "the empty backend does not compute in dtype float32");
  expect_refused("mute", "libroformer_mute.so: not a backend, it exports no function roformer_backend");
  EXPECT_THAT(backend_names(), AllOf(Contains("text"), Contains("old")));
}

TEST_F(Plugins, ARelativePathIsRefused) {
  search("plugins");
  expect_refused("abacus", "ROFORMER_BACKEND_PATH: 'plugins' is not an absolute path");
  ThreadPool pool(1);
  EXPECT_EQ(make_backend("cpu", pool)->name(), "cpu") << "what is known already needs no path";
}

TEST_F(Plugins, APrecisionThatABackendLacksIsRefused) {
  ThreadPool pool(1);
  for (const char* name : {"protected", "reference"}) {
    EXPECT_THAT([&] { make_backend(name, pool, Precision::bfloat16); },
                ThrowsMessage<UsageError>(
                    HasSubstr(std::string("the ") + name + " backend does not compute in dtype bfloat16")));
  }
}

TEST_F(Plugins, AProgramRegistersItsOwn) {
  constexpr auto make = [](ThreadPool& pool, Precision precision) { return make_cpu_backend(pool, precision); };
  register_backend({kBackendInterface, "abacus-2", make});
  ThreadPool pool(1);
  EXPECT_EQ(make_backend("abacus-2", pool)->name(), "cpu");
  EXPECT_THAT(backend_names(), Contains("abacus-2"));
  const auto refused = [](const BackendEntry& entry, const std::string& reason) {
    EXPECT_THAT([&] { register_backend(entry); }, ThrowsMessage<UsageError>(HasSubstr(reason)));
  };
  refused({kBackendInterface, "abacus-2", make}, "a backend 'abacus-2' exists already");
  refused({kBackendInterface + 1, "abacus-3", make}, "a backend for interface ");
  refused({kBackendInterface, "Abacus", make}, "a backend without a valid name");
  refused({kBackendInterface, nullptr, make}, "a backend without a valid name");
  refused({kBackendInterface, "abacus-3", nullptr}, "or a make function");
  EXPECT_THAT(backend_names(), Not(Contains("abacus-3")));
}

}  // namespace
}  // namespace roformer::test
