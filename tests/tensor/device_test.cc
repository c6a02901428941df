// Tensors on a device: the host sees their shape, never their elements.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>

#include "base/error.h"
#include "tensor/tensor.h"

namespace roformer::test {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

TEST(DeviceTest, DevicesOfOneNameAreOne) {
  EXPECT_EQ(Device("abacus:0"), Device("abacus:0"));
  EXPECT_NE(Device("abacus:0"), Device("abacus:1"));
  EXPECT_NE(Device("abacus:0"), Device());
  EXPECT_TRUE(Device().is_host());
  EXPECT_FALSE(Device("abacus:0").is_host());
  EXPECT_EQ(Device("abacus:0").name(), "abacus:0");
}

TEST(DeviceTest, TheHostCannotReadThem) {
  float numbers[12] = {};
  const Device abacus("abacus");
  const Tensor x(std::shared_ptr<void>(std::shared_ptr<void>(), numbers), DType::float32, {3, 4}, 0, abacus);
  for (const Tensor& view : {x, x.row_range(1, 2), x.column_range(1, 2), x.reshaped({12})}) {
    EXPECT_EQ(view.device(), abacus);
    const auto refused = ThrowsMessage<ShapeError>(HasSubstr("is in the memory of device 'abacus', expected 'host'"));
    EXPECT_THAT([&] { view.data<float>(); }, refused);
    EXPECT_THAT([&] { view.row<float>(0); }, refused);
    EXPECT_THAT([&] { view.raw(); }, refused);
    EXPECT_THAT([&] { view.data<double>(); }, ThrowsMessage<ShapeError>(HasSubstr("is float32, expected float64")));
  }
  EXPECT_EQ(x.row_range(1, 2).address_on(abacus), numbers + 4);
  EXPECT_THAT([&] { x.address_on(Device("loom")); }, ThrowsMessage<ShapeError>(HasSubstr("expected 'loom'")));
  const Tensor host = Tensor::allocate({2}, DType::float32);
  EXPECT_TRUE(host.device().is_host());
  EXPECT_EQ(host.address_on(Device()), host.data<float>());
  EXPECT_THAT([&] { host.address_on(abacus); },
              ThrowsMessage<ShapeError>(HasSubstr("tensor [2] is in the memory of device 'host', expected 'abacus'")));
}

}  // namespace
}  // namespace roformer::test
