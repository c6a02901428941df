#include "formats/module_list.h"

#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"

namespace roformer {

namespace {

std::string module_folder(const JsonObject& module) {
  std::string folder = module.get_string("path", "");
  bool within = folder.find_first_of(std::string("\\\0", 2)) == folder.npos && !folder.starts_with('/');
  for (const auto& part : std::filesystem::path(folder)) within = within && part != "..";
  if (!within) module.reject("path", "the name of a folder in the directory");
  return folder == "." ? "" : folder;
}

}  // namespace

std::string ListedModule::class_name() const {
  const size_t end = type.rfind('.');
  if (end == type.npos) return type;
  return type.starts_with("sentence_transformers.") ? type.substr(end + 1) : "";
}

bool ListedModule::is_transformer() const {
  const std::string name = class_name();
  return name == "Transformer" || name == "BERT";  // as its first versions called it
}

std::optional<std::vector<ListedModule>> read_module_list(const std::string& directory) {
  const std::string path = join_path(directory, "modules.json");
  if (!exists(path)) return std::nullopt;
  constexpr int64_t kMaxBytes = 1 << 20;
  const Json list = parse_json(read_file(path, kMaxBytes), path, {}, path);
  if (!list.is_array()) throw DataError("{}: expected a list of modules", FilePath(path));
  std::vector<ListedModule> modules;
  for (size_t i = 0; i < list.size(); ++i) {
    const JsonObject module(list[i], fmt::format("{}: [{}]", path, i));
    modules.push_back({module.get_string("type", std::nullopt), module_folder(module)});
  }
  return modules;
}

}  // namespace roformer
