// A model on a device whose memory the host must not touch: the backend "protected" (protected_backend.cc) gives the
// same bits as the reference, or crashes at the first forbidden access.
#include <cstdlib>

#include "backend/registry.h"
#include "base/error.h"
#include "nn/linear_attention.h"
#include "position/encoding.h"
#include "tests/cli/program.h"

namespace roformer::test {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

Child::Options with_plugins() {
  Child::Options options;
  options.environment = {"ROFORMER_BACKEND_PATH=" ROFORMER_PLUGINS};
  return options;
}

class ProtectedTensors : public ::testing::Test {
 protected:
  ProtectedTensors() {
    setenv("ROFORMER_BACKEND_PATH", ROFORMER_PLUGINS, 1);
    backend_ = make_backend("protected", pool_);
    unsetenv("ROFORMER_BACKEND_PATH");
  }

  ThreadPool pool_{1};
  std::unique_ptr<Backend> backend_;
};

TEST_F(ProtectedTensors, ComeAndGoThroughTheBackend) {
  const Tensor host = Tensor::allocate({3, 2}, DType::float32);
  for (int i = 0; i < 6; ++i) host.data<float>()[i] = static_cast<float>(i);
  const Tensor x = backend_->from_host(host);
  backend_->add(x.row_range(0, 1), x.row_range(2, 1));
  backend_->write(x.column_range(1, 1), [](const Tensor& column) {
    for (int64_t i = 0; i < column.rows(); ++i) *column.row<float>(i) = 9;
  });
  const Tensor back = backend_->to_host(x);
  EXPECT_EQ(std::vector<float>(back.data<float>(), back.data<float>() + 6), (std::vector<float>{0, 9, 2, 9, 4, 9}));
  EXPECT_EQ(host.data<float>()[5], 5) << "a copy";
}

TEST_F(ProtectedTensors, AreRefusedWhereTheyDoNotBelong) {
  const Tensor x = backend_->zeros({2, 3});
  EXPECT_EQ(x.device(), backend_->device());
  EXPECT_THAT([&] { x.data<float>(); },
              ThrowsMessage<ShapeError>(HasSubstr("[2, 3] is in the memory of device 'protected', expected 'host'")));
  EXPECT_THAT([&] { make_cpu_backend(pool_)->fill(x, 1); }, ThrowsMessage<ShapeError>(HasSubstr("'protected'")));
  EXPECT_THAT([&] { make_cpu_backend(pool_)->to_host(x); }, ThrowsMessage<ShapeError>(HasSubstr("'protected'")));
  EXPECT_THAT([&] { backend_->fill(Tensor::allocate({2}, DType::float32), 1); },
              ThrowsMessage<ShapeError>(HasSubstr("expected 'protected'")));
}

TEST_F(ProtectedTensors, KillWhoReadsThemAllTheSame) {
  const Tensor x = backend_->zeros({2, 3});
  const auto* const numbers = static_cast<const volatile float*>(x.address_on(backend_->device()));
  EXPECT_DEATH(static_cast<void>(numbers[0]), "");
}

class ProtectedRun : public Workshop {
 protected:
  static std::string succeed(const Arguments& arguments) { return test::succeed(arguments, with_plugins()); }
  // Trains `output` on the reference and on the protected device, to the same bytes.
  void expect_same_training(const std::string& output, const Arguments& settings, int64_t steps) {
    for (const char* device : {"reference", "protected"}) {
      succeed(pretrain(output + "-" + device, settings + Arguments{"--device", device}));
    }
    expect_same_run(output + "-reference", output + "-protected", steps);
  }
  void expect_same_output(const Arguments& arguments) {
    const std::string expected = succeed(arguments + Arguments{"--device", "reference"});
    EXPECT_FALSE(expected.empty());
    EXPECT_EQ(succeed(arguments + Arguments{"--device", "protected"}), expected) << arguments.front();
  }
};

// Forward, backward, validation, histograms, saving.
TEST_F(ProtectedRun, TrainsEveryEncoding) {
  const Arguments small = {"--hidden-size",      "16", "--layers",     "1", "--max-length",     "16",
                           "--batch-tokens",     "64", "--steps",      "2", "--log-every",      "1",
                           "--histograms-every", "1",  "--accumulate", "2", "--validate-every", "1"};
  for (const std::string_view name : position_names()) {
    const std::string position(name);
    SCOPED_TRACE(position);
    expect_same_training(position, small + Arguments{"--position", position}, 2);
  }
  for (const std::string& attention : attention_names()) {
    SCOPED_TRACE(attention);
    expect_same_training(attention, small + Arguments{"--attention", attention, "--objective", "clm"}, 2);
  }
}

TEST_F(ProtectedRun, GoesOnAfterAnInterruption) {
  const Arguments settings = {"--steps", "40", "--save-every", "10", "--validate-every", "20", "--log-every", "1"};
  succeed(pretrain("alone", settings + Arguments{"--device", "reference"}));
  const Arguments stopped = pretrain("stopped", settings + Arguments{"--device", "protected"});
  {
    Child child(stopped, with_plugins());
    ASSERT_TRUE(child.wait_until([&] { return exists(path("stopped/training/step-10/manifest.json")); }));
    child.send(SIGTERM);
    EXPECT_EQ(child.wait().exit_code, 130);
  }
  EXPECT_THAT(run(stopped, with_plugins()).error, HasSubstr("resuming "));
  expect_same_run("alone", "stopped", 40);
}

TEST_F(ProtectedRun, ReadsAndWrites) {
  succeed(pretrain("masked", {"--steps", "3"}));
  succeed(pretrain("causal", {"--steps", "3", "--objective", "clm"}));
  put(path("ids.json"), R"({"input_ids": [[2, 9, 8, 3], [2, 5, 3]]})");
  expect_same_output({"embed", "--model", path("masked"), "--json", "the old king", "a ship"});
  expect_same_output({"embed", "--model", path("masked"), "--json", "--pooling", "max", "the old king", "a ship"});
  expect_same_output({"fill-mask", "--model", path("masked"), "--json", "the [MASK] king"});
  expect_same_output(
      {"generate", "--model", path("causal"), "--json", "--prompt", "the old", "--max-new-tokens", "40"});
  expect_same_output(
      {"generate", "--model", path("causal"), "--json", "--prompt", "a", "--max-new-tokens", "9", "--beam", "3"});
  for (const char* device : {"reference", "protected"}) {
    succeed({"forward", "--model", path("masked"), "--ids", path("ids.json"), "--output",
             path(std::string(device) + ".safetensors"), "--device", device});
  }
  EXPECT_TRUE(content(path("reference.safetensors")) == content(path("protected.safetensors")));
}

}  // namespace
}  // namespace roformer::test
