#include "models/reposition.h"

#include <algorithm>
#include <set>
#include <utility>
#include <variant>

#include <fmt/ranges.h>

#include "base/error.h"

namespace roformer {

namespace {

// Parameters are listed by their pattern, "roformer.encoder.layer.*.attention.self.relative_keys.weight", with the
// number of elements of all.
class ParameterList {
 public:
  void add(const Family& family, const std::string& ours, int64_t elements) {
    elements_ += elements;
    std::string name = name_in_files(family, ours);
    constexpr std::string_view kLayers = "layers.", kInFiles = ".layer.";
    if (ours.starts_with(kLayers)) {
      const size_t begin = name.find(kInFiles) + kInFiles.size();
      name.replace(begin, name.find('.', begin) - begin, "*");
    }
    if (names_.insert(name).second) order_.push_back(name);
  }
  bool empty() const { return order_.empty(); }
  std::string text() const {
    if (empty()) return "nothing";
    return fmt::format("{} ({} parameters)", fmt::join(order_, ", "), elements_);
  }

 private:
  std::set<std::string> names_;
  std::vector<std::string> order_;
  int64_t elements_ = 0;
};

const LearnedPosition* learned(const ModelConfig& config) { return std::get_if<LearnedPosition>(&config.position); }

// Whether parameters of the same name and shape mean the same in both encodings.
bool same_parameters(const PositionEncoding& before, const PositionEncoding& now) {
  if (before.index() != now.index()) return false;
  // Trained frequencies are those of a base and a share.
  return !std::holds_alternative<RotaryPosition>(before) || before == now;
}

// Whether `ours` is a table with a row for each position.
bool is_table(const PositionEncoding& encoding, std::string_view ours) {
  if (std::holds_alternative<LearnedPosition>(encoding)) return ours == "embeddings.positions.weight";
  return std::holds_alternative<TupePosition>(encoding) && ours == "positions.rows.weight";
}

// Row r is row r modulo the number of rows there were.
AvailableTensor with_rows(AvailableTensor tensor, int64_t rows) {
  tensor.shape = Shape{rows, tensor.shape[1]};
  tensor.read = [read = std::move(tensor.read), rows] {
    const Tensor from = read();
    const Tensor to = Tensor::allocate({rows, from.columns()}, from.dtype());
    for (int64_t r = 0; r < rows; ++r) copy_tensor(from.row_range(r % from.rows(), 1), to.row_range(r, 1));
    return to;
  };
  return tensor;
}

std::string length_notice(const std::string& source, std::string_view encoding, int64_t before, int64_t now) {
  const std::string text = fmt::format("{}: {} positions have {} rows instead of {}", source, encoding, now, before);
  return now < before ? text : fmt::format("{}; rows from {} on repeat those from 0 on", text, before);
}

}  // namespace

Repositioning reposition(FoundModel& model, const ModelConfig& config) {
  const ModelConfig before = std::exchange(model.config, config);
  const std::string_view old_name = position_name(before.position), new_name = position_name(config.position);
  Repositioning result;
  const ParameterTable declared = declared_parameters(config);
  const auto find_declared = [&](const std::string& ours) {
    return std::ranges::find_if(declared, [&](const TableEntry& entry) { return entry.spec.name == ours; });
  };
  ParameterList dropped, anew;
  std::set<std::string> kept, lost;  // lost: the file lacks what its own encoding needs, which does not start anew
  if (same_parameters(before.position, config.position)) {
    for (const TableEntry& entry : declared_parameters(before)) lost.insert(entry.spec.name);
  }
  AvailableTensors tensors;
  for (AvailableTensor& tensor : model.tensors) {
    const std::string ours = our_name(*before.family, tensor.name);
    if (!ours.empty() && config.family != before.family) tensor.name = name_in_files(*config.family, ours);
    if (is_of_positions(ours)) {
      const auto entry = find_declared(ours);
      const bool same = entry != declared.end() && same_parameters(before.position, config.position);
      const bool other_shape = same && !(tensor.shape == entry->spec.shape);
      if (other_shape && is_table(config.position, ours) && tensor.shape.rank() == 2) {
        const int64_t rows = entry->spec.shape[0];
        if (const auto* table = learned(before); table != nullptr && table->hierarchical) {
          throw UsageError("{} {}: the rows of learned-hierarchical positions stay the {} that were trained",
                           FieldName("max_positions"), rows, tensor.shape[0]);
        }
        result.notices.push_back(length_notice(model.source, old_name, tensor.shape[0], rows));
        tensor = with_rows(std::move(tensor), rows);
      } else if (!same || other_shape) {
        dropped.add(*before.family, ours, tensor.shape.elements());
        lost.erase(ours);
        continue;
      }
      kept.insert(ours);
    }
    tensors.push_back(std::move(tensor));
  }
  model.tensors = std::move(tensors);
  for (const TableEntry& entry : declared) {
    const std::string& ours = entry.spec.name;
    if (!is_of_positions(ours) || kept.contains(ours) || lost.contains(ours)) continue;
    anew.add(*config.family, ours, entry.spec.shape.elements());
  }
  result.anew = !anew.empty();
  if (old_name != new_name || !dropped.empty() || !anew.empty()) {
    result.notices.push_back(fmt::format("{}: {} positions replaced by {}; dropped: {}; start anew: {}", model.source,
                                         old_name, new_name, dropped.text(), anew.text()));
  } else if (result.notices.empty() && before.position != config.position) {
    result.notices.push_back(fmt::format("{}: {} positions have other settings", model.source, old_name));
  }
  return result;
}

}  // namespace roformer
