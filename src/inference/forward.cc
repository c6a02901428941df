#include "inference/forward.h"

#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "formats/safetensors.h"
#include "models/finite.h"
#include "nn/constant_table.h"

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
        throw DataError("{}: {}[{}][{}] is {}, expected an integer from 0 to {}", FilePath(json.source()), KeyName(key),
                        i, j, show_json(item), limit - 1);
      }
      list.push_back(item.get<int32_t>());
    }
    lists.push_back(std::move(list));
  }
  return lists;
}

// decoder_input_ids of an encoder-decoder: a list for each of input_ids.
IdLists read_decoder_ids(const JsonObject& json, const ModelConfig& config, const IdLists& ids) {
  const char* key = "decoder_input_ids";
  if (config.encoder == nullptr) {
    if (json.has(key)) json.reject(key, "none: the model is not an encoder-decoder");
    return {};
  }
  const std::string expected = fmt::format("{} lists of integers, one for each of input_ids", ids.size());
  if (!json.has(key)) json.reject(key, expected);
  IdLists lists = read_lists(json, key, config.vocabulary);
  if (lists.size() != ids.size()) json.reject(key, expected);
  return lists;
}

// Lists parallel to input_ids, of the same lengths; empty if absent.
IdLists read_beside(const JsonObject& json, const std::string& key, int64_t limit, const IdLists& ids) {
  if (!json.has(key)) return {};
  IdLists lists = read_lists(json, key, limit);
  if (lists.size() != ids.size()) {
    throw DataError("{}: {} has {} lists, input_ids {}", FilePath(json.source()), KeyName(key), lists.size(),
                    ids.size());
  }
  for (size_t i = 0; i < ids.size(); ++i) {
    if (lists[i].size() != ids[i].size()) {
      throw DataError("{}: {}[{}] has {} elements, input_ids {}", FilePath(json.source()), KeyName(key), i,
                      lists[i].size(), ids[i].size());
    }
  }
  return lists;
}

// All results are held in memory until they are written, so reject input that exceeds it before computing.
void check_memory(const JsonObject& json, const IdLists& ids, const ModelConfig& config) {
  const double present = static_cast<double>(sysconf(_SC_PHYS_PAGES)) * static_cast<double>(sysconf(_SC_PAGESIZE));
  double tokens = 0;
  for (const auto& list : ids) tokens += static_cast<double>(list.size());
  const auto width = static_cast<double>(config.hidden + (config.is_language_model() ? config.vocabulary : 0));
  if (const double needed = 4 * tokens * width; needed > present) {
    throw DataError("{}: the activations of {:.0f} tokens need {:.1f} GB, this machine has {:.1f} GB",
                    FilePath(json.source()), tokens, needed / 1e9, present / 1e9);
  }
}

// encoder_hidden_states: a list of rows of `width` values for each of `count` sequences.
std::vector<Tensor> read_memories(const JsonObject& json, Backend& backend, size_t count, int64_t width) {
  const std::string key = "encoder_hidden_states";
  if (!json.has(key)) return {};
  const std::string expected =
      fmt::format("{} lists of rows of {} values, one for each list of input_ids", count, width);
  const Json& value = json.value()[key];
  if (!value.is_array() || value.size() != count) json.reject(key, expected);
  std::vector<Tensor> memories;
  for (const Json& rows : value) {
    if (!rows.is_array()) json.reject(key, expected);
    for (const Json& row : rows) {
      const bool good = row.is_array() && std::ssize(row) == width &&
                        std::all_of(row.begin(), row.end(), [](const Json& number) { return number.is_number(); });
      if (!good) json.reject(key, expected);
    }
    memories.push_back(constant_table(backend, std::ssize(rows), width, [&](int64_t row, int64_t column) {
      return rows[static_cast<size_t>(row)][static_cast<size_t>(column)].get<double>();
    }));
  }
  return memories;
}

// As rank 1, the shape of one sequence's logits in transformers.
Tensor as_vector(const Tensor& x) { return x.reshaped({x.elements()}); }

constexpr int64_t kMaxIdsFile = int64_t{1} << 30;

IdLists read_input_ids(const JsonObject& json, int64_t vocabulary) {
  if (!json.has("input_ids")) json.reject("input_ids", "a list of lists of integers");
  return read_lists(json, "input_ids", vocabulary);
}

}  // namespace

std::vector<std::vector<int32_t>> read_input_ids(const std::string& path, int64_t vocabulary) {
  const JsonObject json = JsonObject::read(path, kMaxIdsFile);
  IdLists ids = read_input_ids(json, vocabulary);
  if (ids.empty()) json.reject("input_ids", "at least one list of integers");
  for (const auto& list : ids) {
    if (list.empty()) json.reject("input_ids", "lists of at least one integer");
  }
  return ids;
}

int64_t forward(const Model& model, const std::string& ids_path, const std::string& output_path,
                const StackInputs& options) {
  const ModelConfig& config = model.config();
  const JsonObject json = JsonObject::read(ids_path, kMaxIdsFile);
  const IdLists ids = read_input_ids(json, config.reader().vocabulary);
  const IdLists decoder_ids = read_decoder_ids(json, config, ids);
  check_memory(json, decoder_ids.empty() ? ids : decoder_ids, config);
  const int64_t types = config.reader().segments;
  if (types == 0 && json.has("token_type_ids")) json.reject("token_type_ids", "none: the model has no token types");
  const IdLists segments = read_beside(json, "token_type_ids", types, ids);
  const IdLists positions = read_beside(json, "position_ids", kMaxRotaryPosition + 1, ids);
  const std::vector<Tensor> memories = read_memories(json, model.backend(), ids.size(), config.hidden);

  Backend& backend = model.backend();
  const Context context{backend, nullptr, {}, false};
  const bool of_sequence = config.head == Head::sequence_classification || config.head == Head::multiple_choice;
  std::vector<std::pair<std::string, Tensor>> results;
  for (size_t i = 0; i < ids.size(); ++i) {
    const std::string number = std::to_string(i);
    Batch batch;
    batch.append(ids[i], segments.empty() ? std::vector<int32_t>{} : segments[i]);
    if (!positions.empty()) batch.positions = positions[i];
    StackInputs inputs = options;
    if (config.encoder != nullptr) {
      inputs.memory = model.encoder().forward(context, batch);
      inputs.memory_offsets = batch.offsets;
      results.emplace_back("encoder_last_hidden_state." + number, backend.to_host(inputs.memory.data));
      batch = {};
      batch.append(decoder_ids[i]);
    } else if (!memories.empty()) {
      inputs.memory = Value(memories[i]);
      inputs.memory_offsets = std::vector<int32_t>{0, static_cast<int32_t>(memories[i].rows())};
    }
    const Value hidden = model.trunk().forward(context, batch, inputs);
    results.emplace_back("last_hidden_state." + number, backend.to_host(hidden.data));
    if (model.has_pooler()) {
      const Tensor pooled = model.pooled(context, hidden, batch).data;
      results.emplace_back("pooler_output." + number, as_vector(backend.to_host(pooled)));
    }
    if (config.head == Head::none) continue;
    const Tensor logits = backend.to_host(model.logits(context, hidden, batch).data);
    results.emplace_back("logits." + number, of_sequence ? as_vector(logits) : logits);
  }
  const bool finite =
      std::all_of(results.begin(), results.end(), [](const auto& one) { return is_finite(one.second); });
  if (!finite) check_finite_weights(model, "the model");
  write_safetensors(output_path, results);
  return static_cast<int64_t>(ids.size());
}

}  // namespace roformer
