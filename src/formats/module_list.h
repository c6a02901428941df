// modules.json of a sentence-transformers directory: the chain of modules, the transformer first, and the folder of
// each one's files. Old versions of that library put the transformer into a folder, too ("0_Transformer").
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace roformer {

struct ListedModule {
  std::string type;    // its Python class: "sentence_transformers.models.Pooling"
  std::string folder;  // relative to the directory; empty: the directory itself

  // "Pooling"; empty for a class that is not that library's and may do anything, such as one in a file of the
  // directory.
  std::string class_name() const;
  bool is_transformer() const;
  bool operator==(const ListedModule&) const = default;
};

// None for a directory without the file. DataError if it is malformed or a folder is not within the directory.
std::optional<std::vector<ListedModule>> read_module_list(const std::string& directory);

// The names of the transformer's settings, in the order in which that library looks for them: its first versions named
// the file after the model.
const std::vector<std::string>& sentence_config_names();

// The files that make a model directory one of sentence-transformers, name (or FOLDER/NAME) to content: modules.json
// and all it names, and settings. The transformer is in the directory itself then, as this program writes it.
std::map<std::string, std::string> module_files(const std::string& directory);

}  // namespace roformer
