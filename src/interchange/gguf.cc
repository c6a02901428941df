#include "interchange/gguf.h"

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/hash.h"
#include "formats/gguf_config.h"
#include "formats/gguf_model.h"
#include "formats/gguf_writer.h"
#include "interchange/gguf_tokenizer_items.h"
#include "models/families/family.h"
#include "models/save_model.h"
#include "position/scaling.h"

namespace roformer {

namespace {

struct GgufFileType {
  const char* option;
  const char* type;
  uint32_t code;  // "general.file_type"
};
constexpr GgufFileType kFileTypes[] = {{"f16", "F16", 1}, {"q8_0", "Q8_0", 7}, {"q4_0", "Q4_0", 2}};

const GgufFileType& file_type(const std::string& option) {
  const auto* const found =
      std::ranges::find(kFileTypes, option, [](const auto& one) { return std::string(one.option); });
  if (found == std::end(kFileTypes))
    throw UsageError("{} is {}, expected f16, q8_0 or q4_0", FieldName("gguf_type"), quote(option));
  return *found;
}

const Rotary* rotary_of(const ModelConfig& config) {
  const auto* position = std::get_if<RotaryPosition>(&config.position);
  return position == nullptr ? nullptr : &position->rotary;
}

class GgufModelWriter {
 public:
  GgufModelWriter(const Model& model, const Json& config, const GgufFileType& type)
      : config_(model.config()), json_(config), type_(type) {
    architecture_ = find_gguf_architecture(json_.value("model_type", ""));
    if (architecture_ == nullptr) {
      throw DataError("GGUF: models of model_type {} have no place in it here",
                      show_json(json_.value("model_type", Json())));
    }
    for (auto& [name, tensor] : file_weights(model)) outputs_.push_back(output(name, tensor));
    add_divisors();
  }

  GgufItems items(const std::string& name, const std::map<std::string, std::string>& files) const {
    GgufItems items = {{"general.architecture", std::string(architecture_->name)},
                       {"general.type", std::string("model")},
                       {"general.name", name},
                       {"general.file_type", type_.code},
                       {"general.quantization_version", uint32_t{2}}};
    const std::string prefix = std::string(architecture_->name) + ".";
    for (const GgufName& key : architecture_->keys) {
      if (json_.contains(key.ours) && !json_[key.ours].is_null())
        items.emplace_back(prefix + key.theirs, value_of(key.ours));
    }
    items.emplace_back(prefix + "vocab_size", static_cast<uint32_t>(config_.vocabulary));
    if (json_.contains("head_dim")) items.emplace_back(prefix + "attention.value_length", value_of("head_dim"));
    add_rotation(prefix, items);
    GgufItems tokenizer = gguf_tokenizer_items(files, json_, config_.vocabulary);
    std::ranges::move(tokenizer, std::back_inserter(items));
    return items;
  }

  const std::vector<GgufOutput>& outputs() const { return outputs_; }
  const GgufArchitecture& architecture() const { return *architecture_; }

 private:
  GgufItem value_of(const char* key) const {
    const Json& value = json_[key];
    if (value.is_boolean()) return value.get<bool>();
    if (value.is_number_integer() && value >= 0 && value <= UINT32_MAX) {
      const std::string_view name = key;
      const bool real = name.ends_with("_theta") || name.ends_with("_base") || name.ends_with("capping");
      if (!real) return value.get<uint32_t>();
    }
    if (!value.is_number())
      throw DataError("GGUF: config.json: '{}' is {}, expected a number", KeyName(key), show_json(value));
    return value.get<float>();
  }

  void add_rotation(const std::string& prefix, GgufItems& items) const {
    const Rotary* rotary = rotary_of(config_);
    if (rotary == nullptr) return;
    items.emplace_back(prefix + "rope.dimension_count", static_cast<uint32_t>(rotary->dim));
    if (const auto* linear = std::get_if<LinearScaling>(&rotary->scaling)) {
      items.emplace_back(prefix + "rope.scaling.type", std::string("linear"));
      items.emplace_back(prefix + "rope.scaling.factor", static_cast<float>(linear->factor));
    } else if (const auto* yarn = std::get_if<YarnScaling>(&rotary->scaling)) {
      items.emplace_back(prefix + "rope.scaling.type", std::string("yarn"));
      items.emplace_back(prefix + "rope.scaling.factor", static_cast<float>(yarn->factor));
      items.emplace_back(prefix + "rope.scaling.original_context_length",
                         static_cast<uint32_t>(yarn->original_positions));
    }
  }

  // Llama 3's scaling as a tensor.
  void add_divisors() {
    const Rotary* rotary = rotary_of(config_);
    if (rotary == nullptr || !std::holds_alternative<Llama3Scaling>(rotary->scaling)) return;
    const auto divisors = scale_frequencies(rotary->scaling, rotary->dim, rotary->base, 0).divisors;
    const Tensor tensor = Tensor::allocate({std::ssize(divisors)}, DType::float32);
    std::ranges::transform(divisors, tensor.data<float>(), [](double x) { return static_cast<float>(x); });
    outputs_.push_back({"rope_freqs.weight", find_block_type("F32"), tensor});
  }

  GgufOutput output(const std::string& name, const Tensor& tensor) const {
    GgufOutput one{.name = name_in_gguf(*architecture_, name), .type = find_block_type("F32"), .tensor = tensor};
    if (one.name.empty()) throw DataError("GGUF: tensor {} has no name in it", TensorName(name, quote(name)));
    const int rank = tensor.shape().rank();
    if (rank > 1) {
      one.type = find_block_type(type_.type);
      if (tensor.dim(rank - 1) % one.type->numbers != 0) one.type = find_block_type("F16");
    }
    const std::string_view part = std::string_view(one.name).substr(0, one.name.rfind('.'));
    if (std::string_view(name).substr(0, name.rfind('.')).ends_with("norm")) one.offset = architecture_->norm_offset;
    const bool query = part.ends_with(".attn_q"), key = part.ends_with(".attn_k"), fused = part.ends_with(".attn_qkv");
    const bool pairs = architecture_->rows == GgufRows::adjacent_pairs && (query || key);
    if (!pairs && !(architecture_->rows == GgufRows::stacked && fused)) return one;
    const int64_t heads = key ? config_.key_heads() : config_.heads, rows = tensor.dim(0);
    one.rows.resize(static_cast<size_t>(rows));
    for (int64_t r = 0; r < rows; ++r) one.rows[static_cast<size_t>(gguf_row(architecture_->rows, r, rows, heads))] = r;
    return one;
  }

  const ModelConfig& config_;
  Json json_;
  const GgufFileType& type_;
  const GgufArchitecture* architecture_;
  std::vector<GgufOutput> outputs_;
};

// The values that a tensor of the file stands for, in the model's order.
Tensor rounded(const GgufOutput& one) {
  Tensor result = Tensor::allocate(one.tensor.shape(), DType::float32);
  const int rank = one.tensor.shape().rank();
  const int64_t columns = rank == 0 ? 1 : one.tensor.dim(rank - 1), rows = one.tensor.elements() / columns;
  std::string row(static_cast<size_t>(one.type->row_bytes(columns)), '\0');
  std::vector<float> numbers(static_cast<size_t>(columns));
  const auto offset = static_cast<float>(one.offset);
  for (int64_t r = 0; r < rows; ++r) {
    std::transform(one.tensor.data<float>() + r * columns, one.tensor.data<float>() + (r + 1) * columns,
                   numbers.begin(), [&](float x) { return x + offset; });
    encode_row(*one.type, numbers.data(), columns, row.data());
    decode_row(*one.type, row.data(), columns, result.data<float>() + r * columns);
    for (int64_t c = 0; c < columns; ++c) result.data<float>()[r * columns + c] -= offset;
  }
  return result;
}

void check_config(const ModelConfig& config, const GgufModel& read) {
  const Json json = gguf_config(read.file(), read.architecture());
  Json written = write_config(read_config(JsonObject(json, read.path()))), expected = write_config(config);
  for (const char* beside : {"initializer_range", "attention_dropout", "hidden_dropout_prob", "hidden_dropout",
                             "classifier_dropout", "architectures", "eos_token_id", "bos_token_id", "pad_token_id"}) {
    written.erase(beside);
    expected.erase(beside);
  }
  // A Mistral without windows is a Llama.
  if (expected.at("model_type") == "mistral" && written.at("model_type") == "llama") {
    for (Json* one : {&written, &expected}) {
      for (const char* key : {"model_type", "attention_bias", "mlp_bias", "sliding_window"}) one->erase(key);
    }
  }
  std::string different;
  for (const auto& [key, value] : expected.items()) {
    const bool close = written.contains(key) && value.is_number() && written[key].is_number() &&
                       written[key].get<float>() == value.get<float>();
    if (!close && (!written.contains(key) || written[key] != value)) different += (different.empty() ? "" : ", ") + key;
  }
  if (!different.empty()) throw DataError("GGUF: the format cannot express what config.json says in: {}", different);
}

}  // namespace

const std::vector<std::string>& gguf_types() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all;
    for (const GgufFileType& one : kFileTypes) all.emplace_back(one.option);
    return all;
  }();
  return names;
}

GgufWritingReport write_gguf_model(const Model& model, const Json& config,
                                   const std::map<std::string, std::string>& files, const std::string& type,
                                   const std::string& name, const std::string& path) {
  const GgufModelWriter writer(model, config, file_type(type));
  {
    FileWriter file(path, FileWriter::Mode::create_new);
    write_gguf(file, writer.items(name, files), writer.outputs());
    file.sync();
  }
  const GgufModel read(path);
  check_config(model.config(), read);
  GgufWritingReport report;
  Hasher source, result;
  for (const GgufOutput& one : writer.outputs()) {
    const std::string ours = name_from_gguf(writer.architecture(), one.name);
    if (ours.empty()) continue;  // of the config
    const Tensor expected = rounded(one), found = widen(read.stored(ours));
    if (!(found.shape() == expected.shape()) ||
        std::memcmp(found.raw(), expected.raw(), static_cast<size_t>(found.bytes())) != 0) {
      throw DataError("the self-check failed, nothing was written: {} differs from the source", quote(one.name));
    }
    source.update(expected.raw(), expected.bytes());
    result.update(found.raw(), found.bytes());
    ++report.tensors;
    report.numbers += found.elements();
  }
  report.source_hash = source.hex();
  report.result_hash = result.hex();
  return report;
}

}  // namespace roformer
