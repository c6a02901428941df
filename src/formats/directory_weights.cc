#include "formats/directory_weights.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "formats/gguf_model.h"
#include "formats/module_list.h"
#include "formats/pytorch_file.h"
#include "formats/safetensors.h"

namespace roformer {

namespace {

constexpr std::string_view kIndexEnd = ".index.json", kSafetensorsEnd = ".safetensors";
constexpr const char* kNames[] = {"model.safetensors", "model.safetensors.index.json", "pytorch_model.bin",
                                  "pytorch_model.bin.index.json"};

// Weights of other frameworks in the directory, for the error message.
std::string find_foreign(const std::string& directory) {
  static constexpr std::pair<std::string_view, const char*> kForeign[] = {{".ckpt.index", "TensorFlow"},
                                                                          {"tf_model.h5", "TensorFlow"},
                                                                          {".pdparams", "Paddle"},
                                                                          {"flax_model.msgpack", "Flax"}};
  std::error_code error;
  std::filesystem::directory_iterator entries(directory, error), end;
  std::set<std::string> found;
  while (!error && entries != end) {
    const std::string name = entries->path().filename().string();
    for (const auto& [ending, whose] : kForeign) {
      if (name.ends_with(ending)) found.insert(fmt::format("; {} files are not supported yet: {}", whose, quote(name)));
    }
    if (name.ends_with(".gguf")) found.insert(fmt::format("; a GGUF file is given by its own name: {}", quote(name)));
    entries.increment(error);
  }
  return found.empty() ? "" : *found.begin();
}

[[noreturn]] void refuse_directory(const std::string& path) {
  throw FileError("'{}' is not a model directory{}", FilePath(path), download_hint(path));
}

std::string find_weights(const std::string& path) {
  if (is_file(path)) return path;
  const std::string directory = model_directory(path);
  for (const char* name : kNames) {
    std::string file = join_path(directory, name);
    if (exists(file)) return file;
  }
  throw FileError("'{}' holds no weights: expected {}, {}, {} or {}{}", FilePath(directory), kNames[0], kNames[1],
                  kNames[2], kNames[3], find_foreign(directory));
}

// By its name, so that what is wrong with it is said, or by its content.
bool names_gguf(const std::string& path) { return path.ends_with(".gguf") || is_gguf(path); }

// A clone made without Git LFS has small text files instead of large ones.
void refuse_pointer(const std::string& path) {
  constexpr std::string_view kPointer = "version https://git-lfs.github.com/spec/";
  const MappedFile file(path);
  if (file.view().starts_with(kPointer)) {
    throw DataError("'{}' is the Git LFS pointer to a file, not the file: fetch it with `git lfs pull`",
                    FilePath(path));
  }
}

}  // namespace

WeightFiles::WeightFiles(const std::string& path) : source_(find_weights(path)) {
  if (source_.ends_with(kIndexEnd)) {
    open_shards(source_);
  } else {
    open_file(source_);
  }
}

void WeightFiles::open_file(const std::string& path) {
  refuse_pointer(path);
  if (path.ends_with(kSafetensorsEnd)) {
    files_.push_back(std::make_unique<SafetensorsFile>(path));
  } else if (names_gguf(path)) {
    files_.push_back(std::make_unique<GgufModel>(path));
  } else {
    files_.push_back(std::make_unique<PytorchFile>(path));
  }
  const TensorFile* file = files_.back().get();
  for (const TensorInfo& info : file->tensors()) tensors_.push_back({info, file});
}

void WeightFiles::open_shards(const std::string& index_path) {
  sharded_ = true;
  refuse_pointer(index_path);
  const JsonObject map = JsonObject::read(index_path).get_object("weight_map");
  std::map<std::string, std::vector<std::string>> shards;
  for (const auto& [tensor, shard] : map.value().items()) {  // untrusted names, which must stay in the directory
    if (!shard.is_string() || !is_plain_filename(shard.get<std::string>())) {
      throw DataError("{}: tensor {} is in {}, expected the name of a file beside the index", FilePath(index_path),
                      TensorName(tensor, quote(tensor)), show_json(shard));
    }
    shards[shard.get<std::string>()].push_back(tensor);
  }
  if (shards.empty()) throw DataError("{}: '{}' names no tensor", FilePath(index_path), KeyName("weight_map"));
  std::map<std::string_view, const TensorFile*> homes;
  for (const auto& [shard, names] : shards) {
    const std::string path = join_path(parent_directory(index_path), shard);
    if (!exists(path)) {
      throw FileError("{}: the shard {} does not exist", FilePath(index_path), quote(shard));
    }
    open_file(path);
    std::set<std::string_view> held;
    for (const TensorInfo& info : files_.back()->tensors()) {
      held.insert(info.name);
      const auto [other, fresh] = homes.emplace(info.name, files_.back().get());
      if (!fresh) {
        throw DataError("{}: tensor {} is in '{}' and in '{}'", FilePath(index_path),
                        TensorName(info.name, quote(info.name)), other->second->path(), path);
      }
    }
    for (const std::string& name : names) {
      if (!held.contains(name)) {
        throw DataError("{}: tensor {} is not in the shard {}", FilePath(index_path), TensorName(name, quote(name)),
                        quote(shard));
      }
    }
  }
}

bool WeightFiles::contains(std::string_view name) const {
  return std::any_of(tensors_.begin(), tensors_.end(), [&](const auto& entry) { return entry.info.name == name; });
}

std::string WeightFiles::content_hash() const {
  Hasher hash;
  for (const auto& file : files_) {
    const MappedFile content(file->path());
    hash.update(content.view().data(), std::ssize(content.view()));
  }
  return hash.hex();
}

StateDict WeightFiles::load(const std::vector<std::string>& skip) const {
  StateDict result;
  for (const WeightEntry& entry : tensors_) {
    const std::string& name = entry.info.name;
    const bool skipped =
        std::any_of(skip.begin(), skip.end(), [&](const auto& one) { return matches_pattern(name, one); });
    if (!skipped) result[name] = entry.file->tensor(name);
  }
  return result;
}

std::string model_directory(const std::string& path) {
  if (is_file(path) && names_gguf(path)) {
    refuse_pointer(path);
    open_gguf_directory(path);
    return path;
  }
  if (is_file(path)) return parent_directory(path);
  if (!is_directory(path)) refuse_directory(path);
  const auto modules = read_module_list(path);
  if (!modules || modules->empty() || !modules->front().is_transformer() || modules->front().folder.empty())
    return path;
  std::string folder = join_path(path, modules->front().folder);
  if (!is_directory(folder)) {
    throw FileError("{}: the folder {} of its transformer does not exist", FilePath(join_path(path, "modules.json")),
                    quote(modules->front().folder));
  }
  return folder;
}

DirectoryWeights load_directory_weights(const std::string& directory, const std::vector<std::string>& skip) {
  const WeightFiles files(directory);
  return {files.load(skip), files.source()};
}

}  // namespace roformer
