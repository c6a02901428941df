#include "formats/pytorch_storages.h"

#include <optional>
#include <set>

#include "base/error.h"
#include "base/json.h"
#include "formats/byte_reader.h"
#include "formats/tensor_file.h"
#include "formats/zip_archive.h"

namespace roformer {

namespace {

using Kind = PickleNode::Kind;

struct TypeName {
  std::string_view global, dtype;
};

constexpr TypeName kStorages[] = {
    {"torch.FloatStorage", "F32"},     {"torch.DoubleStorage", "F64"},       {"torch.HalfStorage", "F16"},
    {"torch.BFloat16Storage", "BF16"}, {"torch.LongStorage", "I64"},         {"torch.IntStorage", "I32"},
    {"torch.ShortStorage", "I16"},     {"torch.CharStorage", "I8"},          {"torch.ByteStorage", "U8"},
    {"torch.BoolStorage", "BOOL"},     {"torch.ComplexFloatStorage", "C64"}, {"torch.storage.UntypedStorage", ""},
    {"torch.UntypedStorage", ""}};

constexpr TypeName kElements[] = {{"torch.float32", "F32"},
                                  {"torch.float64", "F64"},
                                  {"torch.float16", "F16"},
                                  {"torch.bfloat16", "BF16"},
                                  {"torch.int64", "I64"},
                                  {"torch.int32", "I32"},
                                  {"torch.int16", "I16"},
                                  {"torch.int8", "I8"},
                                  {"torch.uint8", "U8"},
                                  {"torch.bool", "BOOL"},
                                  {"torch.complex64", "C64"},
                                  {"torch.uint16", "U16"},
                                  {"torch.uint32", "U32"},
                                  {"torch.uint64", "U64"},
                                  {"torch.float8_e5m2", "F8_E5M2"},
                                  {"torch.float8_e4m3fn", "F8_E4M3"}};

// The globals allowed besides the types; pytorch_file.cc and pickle.h interpret them.
constexpr std::string_view kCalls[] = {"torch._utils._rebuild_tensor",
                                       "torch._utils._rebuild_tensor_v2",
                                       "torch._utils._rebuild_tensor_v3",
                                       "torch._utils._rebuild_parameter",
                                       "torch._utils._rebuild_parameter_with_state",
                                       "torch.Size",
                                       "torch.device",
                                       "_codecs.encode"};

const std::vector<std::string_view>& allowed_names() {
  static const std::vector<std::string_view> names = [] {
    std::vector<std::string_view> all(std::begin(kCalls), std::end(kCalls));
    for (const TypeName& type : kStorages) all.push_back(type.global);
    for (const TypeName& type : kElements) all.push_back(type.global);
    return all;
  }();
  return names;
}

constexpr std::string_view kLegacyMagic("\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19", 10);  // 0x1950a86a20f9469cfc6c
constexpr int64_t kFileProtocol = 1001;

PytorchContainer read_zip(std::string_view bytes, const std::string& path) {
  const ZipArchive archive(bytes, path);
  constexpr std::string_view kPickle = "/data.pkl";
  std::optional<std::string> folder;  // named after the file it was saved as
  for (const auto& [name, content] : archive.entries()) {
    if (name.find('/') == name.size() - kPickle.size() && name.ends_with(kPickle)) {
      folder = name.substr(0, name.size() - kPickle.size() + 1);
      break;
    }
  }
  const auto entry = [&](const std::string& name) -> std::optional<std::string_view> {
    const auto found = archive.entries().find(folder.value_or("") + name);
    if (found == archive.entries().end()) return std::nullopt;
    return found->second;
  };
  if (!folder)
    throw DataError("'{}' is a zip archive without FOLDER/data.pkl, expected what torch.save writes", FilePath(path));
  if (entry("constants.pkl"))
    throw DataError("'{}' is a TorchScript program, expected weights saved by torch.save", FilePath(path));
  if (const std::string_view order = entry("byteorder").value_or("little"); order != "little") {
    throw DataError("'{}': its byte order is {}, expected \"little\"", FilePath(path), quote(order));
  }
  PytorchContainer result{Pickle(*entry("data.pkl"), FilePath(path, fmt::format("'{}'", path)), allowed_names()), {}};
  const std::string data = *folder + "data/";
  for (const auto& [name, content] : archive.entries()) {
    if (name.starts_with(data)) result.storages.emplace(name.substr(data.size()), content);
  }
  return result;
}

void check_system(const Pickle& system, const std::string& path) {
  const PickleNode& root = system.root();
  for (size_t i = 0; root.kind == Kind::dict && i + 1 < root.items.size(); i += 2) {
    const PickleNode& value = system[root.items[i + 1]];
    if (system[root.items[i]].text == "little_endian" && value.integer != 1) {
      throw DataError("'{}': its byte order is big, expected little", FilePath(path));
    }
  }
}

PytorchContainer read_legacy(std::string_view bytes, const std::string& path) {
  const std::string source = fmt::format("'{}'", path);
  uint64_t at = 0;
  const auto next = [&] {
    Pickle pickle(bytes.substr(at), FilePath(path, source), allowed_names());
    at += pickle.size();
    return pickle;
  };
  if (const Pickle magic = next(); magic.root().kind != Kind::big_integer || magic.root().text != kLegacyMagic) {
    throw DataError("'{}' is a pickle, but not of torch.save: its magic number differs", FilePath(path));
  }
  if (const Pickle protocol = next();
      protocol.root().kind != Kind::integer || protocol.root().integer != kFileProtocol) {
    throw DataError("'{}': its protocol is {}, expected {}", FilePath(path), protocol.root().integer, kFileProtocol);
  }
  check_system(next(), path);
  PytorchContainer result{next(), {}};
  const Pickle keys = next();
  if (keys.root().kind != Kind::list) throw DataError("'{}': its list of storages is missing", FilePath(path));

  std::map<std::string, StorageReference> expected;
  for (const PickleNode& node : result.pickle.nodes()) {
    if (node.kind != Kind::persistent) continue;
    StorageReference reference = parse_storage(result.pickle, node, path);
    expected.emplace(reference.key, reference);
  }
  ByteReader reader(bytes, FilePath(path, source), at);
  for (const PickleId id : keys.root().items) {
    const auto found = expected.find(std::string(keys[id].text));
    if (keys[id].kind != Kind::text || found == expected.end()) {
      throw DataError("'{}': no tensor uses its storage {}", FilePath(path), quote(keys[id].text));
    }
    const StorageReference& reference = found->second;
    const int64_t width = reference.dtype.empty() ? 1 : element_bits(reference.dtype) / 8;
    if (const auto count = reader.number<int64_t>(); count != reference.bytes / width) {
      throw DataError("'{}': its storage {} has {} elements, expected {}", FilePath(path), quote(reference.key), count,
                      reference.bytes / width);
    }
    if (!result.storages.emplace(reference.key, reader.read(static_cast<uint64_t>(reference.bytes))).second) {
      throw DataError("'{}': it holds the storage {} twice", FilePath(path), quote(reference.key));
    }
  }
  return result;
}

}  // namespace

std::string_view element_type(const Pickle& pickle, const PickleNode& global) {
  for (const TypeName& type : kElements) {
    if (pickle.is_global(global, type.global)) return type.dtype;
  }
  return "";
}

StorageReference parse_storage(const Pickle& pickle, const PickleNode& persistent, const std::string& path) {
  const auto refuse = [&](const char* reason) {
    throw DataError("'{}': a storage's description {}", FilePath(path), reason);
  };
  const PickleNode& identity = pickle[persistent.items[0]];
  if (identity.kind != Kind::tuple || identity.items.size() < 5 || pickle[identity.items[0]].text != "storage") {
    refuse("is not (\"storage\", type, key, location, size)");
  }
  const PickleNode &type = pickle[identity.items[1]], &key = pickle[identity.items[2]],
                   &size = pickle[identity.items[4]];
  StorageReference result;
  const TypeName* known = nullptr;
  for (const TypeName& one : kStorages) {
    if (pickle.is_global(type, one.global)) known = &one;
  }
  if (known == nullptr) refuse("names an unknown storage type");
  if (key.kind != Kind::text) refuse("has a key that is not text");
  result.dtype = known->dtype;
  result.key = key.text;
  const int64_t width = known->dtype.empty() ? 1 : element_bits(known->dtype) / 8;
  const auto scaled = [&](const PickleNode& number) {
    int64_t bytes = 0;
    if (number.kind != Kind::integer || number.integer < 0 || __builtin_mul_overflow(number.integer, width, &bytes)) {
      refuse("has an impossible size");
    }
    return bytes;
  };
  result.bytes = result.view_bytes = scaled(size);
  if (identity.items.size() > 5 && pickle[identity.items[5]].kind != Kind::none) {
    const PickleNode& view = pickle[identity.items[5]];  // (key, offset, size)
    if (view.kind != Kind::tuple || view.items.size() != 3) refuse("has a view that is not (key, offset, size)");
    result.offset = scaled(pickle[view.items[1]]);
    result.view_bytes = scaled(pickle[view.items[2]]);
    if (result.offset > result.bytes || result.view_bytes > result.bytes - result.offset) {
      refuse("has a view beyond its end");
    }
  }
  return result;
}

PytorchContainer read_pytorch_container(std::string_view bytes, const std::string& path) {
  if (bytes.starts_with("PK\x03\x04")) return read_zip(bytes, path);
  if (bytes.starts_with("\x80")) return read_legacy(bytes, path);
  if (bytes.size() > 262 && bytes.substr(257, 5) == "ustar") {
    throw DataError("'{}' is a tar archive of a torch before 0.2: save it again with a newer one", FilePath(path));
  }
  throw DataError("'{}' is neither a zip archive nor a pickle, expected what torch.save writes", FilePath(path));
}

}  // namespace roformer
