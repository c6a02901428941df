#include "formats/gguf_writer.h"

#include <cstring>

#include "base/error.h"
#include "base/json.h"
#include "base/overloaded.h"
#include "formats/gguf_file.h"

namespace roformer {

namespace {

// Type numbers of metadata values.
constexpr uint32_t kU32 = 4, kI32 = 5, kF32 = 6, kBoolean = 7, kText = 8, kArray = 9;

class GgufHeader {
 public:
  template <class Number>
  void number(Number value) {
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  void text(const std::string& value) {
    number(uint64_t{value.size()});
    bytes_ += value;
  }

  void item(const GgufItem& item) {
    std::visit(Overloaded{[&](uint32_t value) { typed(kU32, value); }, [&](float value) { typed(kF32, value); },
                          [&](bool value) { typed(kBoolean, static_cast<uint8_t>(value)); },
                          [&](const std::string& value) {
                            number(kText);
                            text(value);
                          },
                          [&](const std::vector<std::string>& values) {
                            array(kText, values.size());
                            for (const std::string& value : values) text(value);
                          },
                          [&](const std::vector<int32_t>& values) {
                            array(kI32, values.size());
                            for (const int32_t value : values) number(value);
                          },
                          [&](const std::vector<float>& values) {
                            array(kF32, values.size());
                            for (const float value : values) number(value);
                          }},
               item);
  }

  const std::string& bytes() const { return bytes_; }

 private:
  template <class Number>
  void typed(uint32_t type, Number value) {
    number(type);
    number(value);
  }
  void array(uint32_t type, size_t count) {
    number(kArray);
    number(type);
    number(uint64_t{count});
  }

  std::string bytes_;
};

int64_t columns_of(const GgufOutput& one) {
  const int rank = one.tensor.shape().rank();
  return rank == 0 ? 1 : one.tensor.dim(rank - 1);
}

int64_t padding(int64_t bytes) { return (kGgufAlignment - bytes % kGgufAlignment) % kGgufAlignment; }

int64_t bytes_of(const GgufOutput& one) {
  const int64_t columns = columns_of(one);
  if (columns % one.type->numbers != 0) {
    throw DataError("{}: rows of {} are no whole blocks of {} ({})", TensorName(one.name, quote(one.name)), columns,
                    one.type->numbers, one.type->name);
  }
  return one.tensor.elements() / columns * one.type->row_bytes(columns);
}

void write_rows(FileWriter& file, const GgufOutput& one) {
  const int64_t columns = columns_of(one), rows = one.tensor.elements() / columns;
  std::string encoded(static_cast<size_t>(one.type->row_bytes(columns)), '\0');
  std::vector<float> numbers(static_cast<size_t>(columns)), check(numbers.size());
  const auto* all = one.tensor.data<float>();
  for (int64_t r = 0; r < rows; ++r) {
    const float* from = all + (one.rows.empty() || rows == 1 ? r : one.rows[static_cast<size_t>(r)]) * columns;
    for (int64_t c = 0; c < columns; ++c) {
      const int64_t at = rows == 1 && !one.rows.empty() ? one.rows[static_cast<size_t>(c)] : c;
      numbers[static_cast<size_t>(c)] = from[at] + static_cast<float>(one.offset);
    }
    encode_row(*one.type, numbers.data(), columns, encoded.data());
    if (!decode_row(*one.type, encoded.data(), columns, check.data())) {
      throw DataError("{}: row {} holds a number that is not finite as {}", TensorName(one.name, quote(one.name)), r,
                      one.type->name);
    }
    file.write(encoded);
  }
}

}  // namespace

void write_gguf(FileWriter& file, const GgufItems& metadata, const std::vector<GgufOutput>& tensors) {
  GgufHeader header;
  for (const char letter : {'G', 'G', 'U', 'F'}) header.number(letter);
  header.number(uint32_t{3});
  header.number(uint64_t{tensors.size()});
  header.number(uint64_t{metadata.size()});
  for (const auto& [key, item] : metadata) {
    header.text(key);
    header.item(item);
  }
  int64_t offset = 0;
  for (const GgufOutput& one : tensors) {
    const int rank = one.tensor.shape().rank();
    header.text(one.name);
    header.number(static_cast<uint32_t>(rank));
    for (int i = rank; i-- > 0;) header.number(static_cast<uint64_t>(one.tensor.dim(i)));
    header.number(one.type->code);
    header.number(static_cast<uint64_t>(offset));
    offset += bytes_of(one) + padding(bytes_of(one));
  }
  file.write(header.bytes());
  const std::string zeros(kGgufAlignment, '\0');
  file.write(zeros.data(), padding(std::ssize(header.bytes())));
  for (const GgufOutput& one : tensors) {
    write_rows(file, one);
    file.write(zeros.data(), padding(bytes_of(one)));
  }
}

}  // namespace roformer
