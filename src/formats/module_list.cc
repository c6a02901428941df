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

using Files = std::map<std::string, std::string>;

void add_file(const std::string& path, const std::string& name, Files& files) {
  constexpr int64_t kMaxBytes = int64_t{1} << 28;
  if (is_file(path)) files.emplace(name, read_file(path, kMaxBytes));
}

void add_sentence_configs(const std::string& folder, Files& files) {
  for (const std::string& name : sentence_config_names()) add_file(join_path(folder, name), name, files);
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

const std::vector<std::string>& sentence_config_names() {
  static const std::vector<std::string> names = {"sentence_bert_config.json",       "sentence_roberta_config.json",
                                                 "sentence_distilbert_config.json", "sentence_camembert_config.json",
                                                 "sentence_albert_config.json",     "sentence_xlm-roberta_config.json",
                                                 "sentence_xlnet_config.json"};
  return names;
}

std::map<std::string, std::string> module_files(const std::string& directory) {
  Files files;
  const auto modules = read_module_list(directory);
  if (!modules) {
    add_sentence_configs(directory, files);
    return files;
  }
  const std::string list = join_path(directory, "modules.json");
  add_file(list, "modules.json", files);
  add_file(join_path(directory, "config_sentence_transformers.json"), "config_sentence_transformers.json", files);
  for (const ListedModule& module : *modules) {
    const std::string folder = join_path(directory, module.folder);
    if (module.is_transformer()) add_sentence_configs(folder, files);
    if (module.folder.empty()) continue;
    if (module.is_transformer()) {
      Json moved = parse_json(files.at("modules.json"), list, {}, list);
      moved.at(static_cast<size_t>(&module - modules->data()))["path"] = "";
      files["modules.json"] = moved.dump(2) + "\n";
      continue;
    }
    std::error_code error;
    for (std::filesystem::directory_iterator entry(folder, error), end; !error && entry != end;
         entry.increment(error)) {
      const std::string name = entry->path().filename().string();
      add_file(join_path(folder, name), join_path(module.folder, name), files);
    }
  }
  return files;
}

}  // namespace roformer
