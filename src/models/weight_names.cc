#include "models/weight_names.h"

#include <algorithm>
#include <optional>
#include <set>
#include <string_view>

#include "base/edit_distance.h"
#include "base/error.h"
#include "base/json.h"

namespace roformer {

namespace {

// `name` up to `end`, if it ends with it at the start of a part.
std::optional<std::string_view> before(std::string_view name, std::string_view end) {
  if (!name.ends_with(end)) return std::nullopt;
  name.remove_suffix(end.size());
  if (!name.empty() && name.back() != '.') return std::nullopt;
  return name;
}

// What stands before `ours` of the family, else of any, in these names, without the trunk's own prefix.
std::set<std::string_view> wrappers_before(const char* ours, const AvailableTensors& tensors, const Family* only) {
  std::set<std::string_view> found;
  for (const AvailableTensor& tensor : tensors) {
    std::optional<std::string_view> shortest;
    for (const Family* family : all_families()) {
      if (only != nullptr && family != only) continue;
      const std::string theirs = name_in_files(*family, ours), trunk = std::string(family->trunk) + ".";
      const bool of_trunk = theirs.starts_with(trunk);
      const std::optional<std::string_view> outer =
          before(tensor.name, of_trunk ? theirs.substr(trunk.size()) : theirs);
      if (!outer) continue;
      const std::string_view wrapper = of_trunk ? before(*outer, trunk).value_or(*outer) : *outer;
      if (!shortest || wrapper.size() < shortest->size()) shortest = wrapper;
    }
    if (shortest) found.insert(*shortest);
  }
  return found;
}

// What torch.compile, FSDP and activation checkpointing put before the names of a part of the model, such as a layer.
void remove_inner_wrappers(std::string& name) {
  for (const std::string_view inner : {"._orig_mod.", "._fsdp_wrapped_module.", "._checkpoint_wrapped_module."}) {
    for (size_t at = name.find(inner); at != name.npos; at = name.find(inner)) name.erase(at, inner.size() - 1);
  }
}

}  // namespace

std::string remove_wrapper(AvailableTensors& tensors, const std::string& source, const Family* family) {
  std::set<std::string_view> found = wrappers_before("embeddings.words.weight", tensors, family);
  if (found.empty()) found = wrappers_before("head.output.weight", tensors, family);
  const bool none = found.empty() || found.contains("");
  if (!none && found.size() > 1) {
    throw DataError("{}: holds several models, whose tensors begin with {} and {}; expected one", FilePath(source),
                    quote(*found.begin()), quote(*std::next(found.begin())));
  }
  std::string wrapper(none ? "" : *found.begin());
  std::set<std::string> names;
  for (AvailableTensor& tensor : tensors) {
    if (tensor.name.starts_with(wrapper)) tensor.name.erase(0, wrapper.size());
    remove_inner_wrappers(tensor.name);
    if (!names.insert(tensor.name).second) {
      throw DataError("{}: tensor {} is there with and without {} in its name", FilePath(source),
                      TensorName(tensor.name, quote(tensor.name)), wrapper.empty() ? "a wrapper" : quote(wrapper));
    }
  }
  return wrapper;
}

const AvailableTensor* nearest_tensor(const std::string& name, std::span<const AvailableTensor> tensors,
                                      const std::vector<bool>& taken) {
  constexpr size_t kMaxNameBytes = 200;  // the distance costs the product of both lengths
  constexpr size_t kOfAnother = 16;      // letters, for a tensor that is another parameter
  const AvailableTensor* best = nullptr;
  size_t best_distance = 0;
  for (size_t i = 0; i < tensors.size() && name.size() <= kMaxNameBytes; ++i) {
    if (tensors[i].name.size() > kMaxNameBytes) continue;
    const size_t distance = edit_distance(name, tensors[i].name) + (taken[i] ? kOfAnother : 0);
    if (best != nullptr && distance >= best_distance) continue;
    best = &tensors[i];
    best_distance = distance;
  }
  return best;
}

}  // namespace roformer
