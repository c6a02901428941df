#include "tasks/forward.h"

#include <unistd.h>

#include <utility>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "checkpoint/safetensors.h"

namespace roformer {

namespace {

using IdLists = std::vector<std::vector<int32_t>>;

IdLists read_lists(const JsonObject& json, const std::string& key, int64_t limit) {
  IdLists lists;
  const Json& value = json.value()[key];
  if (!value.is_array()) json.reject(key, "a list of lists of integers");
  for (size_t i = 0; i < value.size(); ++i) {
    if (!value[i].is_array()) json.reject(key, "a list of lists of integers");
    std::vector<int32_t> list;
    for (size_t j = 0; j < value[i].size(); ++j) {
      const Json& item = value[i][j];
      if (!item.is_number_integer() || item < 0 || item >= limit) {
        throw DataError("{}: {}[{}][{}] is {}, expected an integer from 0 to {}", json.source(), key, i, j,
                        show_json(item), limit - 1);
      }
      list.push_back(item.get<int32_t>());
    }
    lists.push_back(std::move(list));
  }
  return lists;
}

// A list beside input_ids, of the same lengths; empty if absent.
IdLists read_beside(const JsonObject& json, const std::string& key, int64_t limit, const IdLists& ids) {
  if (!json.has(key)) return {};
  IdLists lists = read_lists(json, key, limit);
  if (lists.size() != ids.size()) {
    throw DataError("{}: {} has {} lists, input_ids {}", json.source(), key, lists.size(), ids.size());
  }
  for (size_t i = 0; i < ids.size(); ++i) {
    if (lists[i].size() != ids[i].size()) {
      throw DataError("{}: {}[{}] has {} numbers, input_ids {}", json.source(), key, i, lists[i].size(), ids[i].size());
    }
  }
  return lists;
}

// All results are kept until they are written: refuses what this machine cannot hold before computing any of it.
void check_memory(const JsonObject& json, const IdLists& ids, const ModelConfig& config) {
  const double present = static_cast<double>(sysconf(_SC_PHYS_PAGES)) * static_cast<double>(sysconf(_SC_PAGESIZE));
  double tokens = 0;
  for (const auto& list : ids) tokens += static_cast<double>(list.size());
  const auto width = static_cast<double>(config.hidden + (config.head == Head::masked_lm ? config.vocabulary : 0));
  if (const double needed = 4 * tokens * width; needed > present) {
    throw DataError("{}: the activations of {:.0f} tokens need {:.1f} GB, this machine has {:.1f} GB", json.source(),
                    tokens, needed / 1e9, present / 1e9);
  }
}

}  // namespace

int64_t forward(const Model& model, const std::string& ids_path, const std::string& output_path) {
  const JsonObject json = JsonObject::read(ids_path, int64_t{1} << 30);
  if (!json.has("input_ids")) json.reject("input_ids", "a list of lists of integers");
  const IdLists ids = read_lists(json, "input_ids", model.config().vocabulary);
  check_memory(json, ids, model.config());
  const IdLists segments = read_beside(json, "token_type_ids", model.config().segments, ids);
  const IdLists positions = read_beside(json, "position_ids", kMaxRotaryPosition + 1, ids);

  const Context context{model.backend(), nullptr, {}, false};
  std::vector<std::pair<std::string, Tensor>> results;
  for (size_t i = 0; i < ids.size(); ++i) {
    Batch batch;
    batch.append(ids[i], segments.empty() ? std::vector<int32_t>{} : segments[i]);
    if (!positions.empty()) batch.positions = positions[i];
    const Value hidden = model.encoder().forward(context, batch);
    results.emplace_back("last_hidden_state." + std::to_string(i), hidden.data);
    if (model.config().head == Head::masked_lm) {
      const Value logits = model.mlm_head().logits(context, hidden, model.encoder().words());
      results.emplace_back("logits." + std::to_string(i), logits.data);
    }
  }
  write_safetensors(output_path, results);
  return static_cast<int64_t>(ids.size());
}

}  // namespace roformer
