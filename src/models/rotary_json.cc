#include "models/rotary_json.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include <fmt/ranges.h>

namespace roformer {
namespace {

constexpr std::array<std::string_view, 13> kKeys{"rotary_layout",
                                                 "rope_theta",
                                                 "rotary_dim",
                                                 "partial_rotary_factor",
                                                 "rope_scaling",
                                                 "rope_parameters",
                                                 "original_max_position_embeddings",
                                                 "max_position_embeddings",
                                                 "rotary_proportion",
                                                 "rotary_grid_width",
                                                 "rotary_learned",
                                                 "xpos_scale_base",
                                                 "xpos_centre"};

constexpr const char* kOriginal = "original_max_position_embeddings";
// The object of the scaling, in files of transformers until 4 and since 5.
constexpr const char* kScalings[] = {"rope_scaling", "rope_parameters"};

// The sources of a scaling: its own object and the enclosing config.
struct Source {
  const JsonObject& scaling;
  const JsonObject& config;

  int64_t longest() const { return config.get_int("max_position_embeddings", 1536, 1); }
  // As in transformers, "original_max_position_embeddings" of the config takes precedence over the scaling's.
  int64_t original() const {
    const JsonObject& from = config.has(kOriginal) ? config : scaling;
    if (!from.has(kOriginal)) return longest();
    // Some files have it as 8192.0.
    const double positions = from.get_double(kOriginal, std::nullopt);
    if (!(positions >= 1 && positions <= kMaxRotaryPosition && positions == std::floor(positions))) {
      from.reject(kOriginal, fmt::format("an integer from 1 to {}", kMaxRotaryPosition));
    }
    return static_cast<int64_t>(positions);
  }
  double lengthening() const {
    return scaling.get_double("factor", static_cast<double>(longest()) / static_cast<double>(original()));
  }
  std::optional<double> optional(const char* key) const {
    if (!scaling.has(key)) return std::nullopt;
    return scaling.get_double(key, std::nullopt);
  }
  // transformers treats 0 as unset for some keys.
  std::optional<double> optional_not_zero(const char* key) const {
    const auto value = optional(key);
    return value == 0 ? std::nullopt : value;
  }
  std::vector<double> factors(const char* key) const {
    std::vector<double> result;
    const auto found = scaling.value().find(key);
    if (found == scaling.value().end() || !found->is_array()) scaling.reject(key, "a list of numbers, one per pair");
    for (const Json& number : *found) {
      if (!number.is_number()) scaling.reject(key, "a list of numbers, one per pair");
      result.push_back(number.get<double>());
    }
    return result;
  }
};

using ReadScaling = RotaryScaling (*)(const Source&);

RotaryScaling read_none(const Source&) { return {}; }
RotaryScaling read_linear(const Source& from) { return LinearScaling{from.scaling.get_double("factor", std::nullopt)}; }
RotaryScaling read_proportional(const Source& from) {
  const double factor = from.scaling.get_double("factor", 1);
  return factor == 1 ? RotaryScaling() : LinearScaling{factor};
}
RotaryScaling read_ntk(const Source& from) { return NtkScaling{from.scaling.get_double("factor", std::nullopt)}; }
RotaryScaling read_dynamic(const Source& from) {
  return DynamicNtkScaling{from.scaling.get_double("factor", std::nullopt), from.longest()};
}
RotaryScaling read_yarn(const Source& from) {
  YarnScaling yarn{.factor = from.lengthening(), .original_positions = from.original()};
  yarn.beta_fast = from.optional_not_zero("beta_fast").value_or(yarn.beta_fast);
  yarn.beta_slow = from.optional_not_zero("beta_slow").value_or(yarn.beta_slow);
  yarn.attention_factor = from.optional("attention_factor");
  yarn.mscale = from.optional_not_zero("mscale");
  yarn.mscale_all_dim = from.optional_not_zero("mscale_all_dim");
  yarn.truncate = from.scaling.get_bool("truncate", true);
  return yarn;
}
RotaryScaling read_longrope(const Source& from) {
  return LongRopeScaling{from.factors("short_factor"), from.factors("long_factor"), from.original(), from.lengthening(),
                         from.optional("attention_factor")};
}
RotaryScaling read_llama3(const Source& from) {
  return Llama3Scaling{from.scaling.get_double("factor", std::nullopt),
                       from.scaling.get_double("low_freq_factor", std::nullopt),
                       from.scaling.get_double("high_freq_factor", std::nullopt), from.original()};
}

struct Kind {
  std::string_view name;
  ReadScaling read;
  std::vector<std::string_view> keys;  // besides those of all kinds
};

const std::vector<Kind>& kinds() {
  static const std::vector<Kind> all{
      {"default", read_none, {}},
      {"linear", read_linear, {"factor"}},
      {"proportional", read_proportional, {"factor"}},
      {"ntk", read_ntk, {"factor"}},
      {"dynamic", read_dynamic, {"factor"}},
      {"yarn",
       read_yarn,
       {"factor", kOriginal, "beta_fast", "beta_slow", "attention_factor", "mscale", "mscale_all_dim", "truncate"}},
      {"longrope", read_longrope, {"factor", kOriginal, "short_factor", "long_factor", "attention_factor"}},
      {"su", read_longrope, {"factor", kOriginal, "short_factor", "long_factor", "attention_factor"}},  // its old name
      {"llama3", read_llama3, {"factor", kOriginal, "low_freq_factor", "high_freq_factor"}}};
  return all;
}

const char* type_key(const JsonObject& scaling) { return scaling.has("rope_type") ? "rope_type" : "type"; }

// Null for an unknown type.
const Kind* find_kind(const JsonObject& scaling) {
  const std::string name = scaling.get_string(type_key(scaling), "default");
  const auto found = std::ranges::find(kinds(), name, &Kind::name);
  return found == kinds().end() ? nullptr : &*found;
}

// Whether a scaling of this kind uses `key`, which is in its object or beside it.
bool reads(const Kind& kind, std::string_view key) {
  return key == "rope_theta" || key == "partial_rotary_factor" || std::ranges::find(kind.keys, key) != kind.keys.end();
}

// A fraction in (0, 1].
double read_share(const JsonObject& json, const char* key) {
  const double share = json.get_double(key, 1);
  if (!(share > 0 && share <= 1)) json.reject(key, "a number above 0, at most 1");
  return share;
}

// Sets what the scaling's object has; keys there take precedence over the config's.
void read_scaling(const JsonObject& json, const char* key, RotaryPosition& position) {
  const JsonObject scaling = json.get_object(key);
  const Kind* const kind = find_kind(scaling);
  if (kind == nullptr) {
    std::vector<std::string_view> names;
    for (const Kind& one : kinds()) names.push_back(one.name);
    scaling.reject(type_key(scaling), fmt::format("one of {}", fmt::join(names, ", ")));
  }
  for (const auto& [name, value] : scaling.value().items()) {
    const bool nested = value.is_object() && (value.contains("rope_type") || value.contains("rope_theta"));
    if (nested) scaling.reject(name, "no object: settings for some of the layers only are not supported");
  }
  position.rotary.scaling = kind->read({scaling, json});
  if (scaling.has("rope_theta")) position.rotary.base = scaling.get_double("rope_theta", std::nullopt);
  if (kind->name == "proportional") {
    position.rotary.proportion =
        read_share(scaling.has("partial_rotary_factor") ? scaling : json, "partial_rotary_factor");
    position.share = 1;
  } else if (scaling.has("partial_rotary_factor")) {
    position.share = read_share(scaling, "partial_rotary_factor");
  }
}

void read_scalings(const JsonObject& json, RotaryPosition& position) {
  const RotaryPosition unscaled = position;
  const char* first = nullptr;
  for (const char* key : kScalings) {
    if (!json.has(key)) continue;
    RotaryPosition scaled = unscaled;
    read_scaling(json, key, scaled);
    if (first != nullptr && scaled != position) {
      json.reject(key, fmt::format("the settings of '{}', or one of them only", first));
    }
    position = scaled;
    first = key;
  }
}

struct WriteScaling {
  Json operator()(std::monostate) const { return nullptr; }
  Json operator()(const LinearScaling& linear) const { return {{"rope_type", "linear"}, {"factor", linear.factor}}; }
  Json operator()(const NtkScaling& ntk) const { return {{"rope_type", "ntk"}, {"factor", ntk.factor}}; }
  Json operator()(const DynamicNtkScaling& dynamic) const {
    return {{"rope_type", "dynamic"}, {"factor", dynamic.factor}};
  }
  Json operator()(const YarnScaling& yarn) const {
    Json json{{"rope_type", "yarn"},
              {"factor", yarn.factor},
              {kOriginal, yarn.original_positions},
              {"beta_fast", yarn.beta_fast},
              {"beta_slow", yarn.beta_slow}};
    if (yarn.attention_factor) json["attention_factor"] = *yarn.attention_factor;
    if (yarn.mscale) json["mscale"] = *yarn.mscale;
    if (yarn.mscale_all_dim) json["mscale_all_dim"] = *yarn.mscale_all_dim;
    if (!yarn.truncate) json["truncate"] = false;
    return json;
  }
  Json operator()(const LongRopeScaling& longrope) const {
    Json json{{"rope_type", "longrope"},
              {"short_factor", longrope.short_factors},
              {"long_factor", longrope.long_factors},
              {kOriginal, longrope.original_positions},
              {"factor", longrope.factor}};
    if (longrope.attention_factor) json["attention_factor"] = *longrope.attention_factor;
    return json;
  }
  Json operator()(const Llama3Scaling& llama3) const {
    return {{"rope_type", "llama3"},
            {"factor", llama3.factor},
            {"low_freq_factor", llama3.low_freq_factor},
            {"high_freq_factor", llama3.high_freq_factor},
            {kOriginal, llama3.original_positions}};
  }
};

}  // namespace

std::span<const std::string_view> rotary_keys() { return kKeys; }

std::vector<std::string> unread_rotary_keys(const JsonObject& json, std::string_view key) {
  std::vector<std::string> unread;
  for (const char* name : kScalings) {
    if (!json.has(name) || !json.value()[name].is_object()) continue;
    const JsonObject scaling = json.get_object(name);
    const Kind* const kind = find_kind(scaling);
    if (kind == nullptr) continue;
    if (key == kOriginal && !reads(*kind, key)) return {kOriginal};
    if (key != name) continue;
    for (const auto& [inner, value] : scaling.value().items()) {
      const bool type = inner == "type" || inner == "rope_type";  // a file may have both
      if (value.is_null() || (type ? value == kind->name : reads(*kind, inner))) continue;
      unread.push_back(fmt::format("{}.{}", name, inner));
    }
  }
  return unread;
}

void read_rotary(const JsonObject& json, RotaryPosition& position) {
  Rotary& rotary = position.rotary;
  if (json.has("rotary_layout")) {
    const std::string layout = json.get_string("rotary_layout", std::nullopt);
    if (layout != "adjacent" && layout != "half") json.reject("rotary_layout", "\"adjacent\" or \"half\"");
    rotary.layout = parse_rotary_layout(layout);
  }
  rotary.base = json.get_double("rope_theta", rotary.base);
  rotary.dim = json.get_int("rotary_dim", rotary.dim, 0);
  if (json.has("partial_rotary_factor")) position.share = read_share(json, "partial_rotary_factor");
  if (json.has("rotary_proportion")) rotary.proportion = read_share(json, "rotary_proportion");
  read_scalings(json, position);
  rotary.grid_width = json.get_int("rotary_grid_width", rotary.grid_width, 0, kMaxRotaryPosition);
  position.learned = json.get_bool("rotary_learned", position.learned);
  if (json.has("xpos_scale_base") || json.has("xpos_centre")) {
    XPos xpos = position.xpos.value_or(XPos());
    xpos.scale_base = json.get_double("xpos_scale_base", xpos.scale_base);
    if (!(xpos.scale_base > 0)) json.reject("xpos_scale_base", "a number above 0");
    xpos.center = json.get_int("xpos_centre", xpos.center, 0, kMaxRotaryPosition);
    position.xpos = xpos;
  }
}

void write_rotary(const RotaryPosition& position, int64_t head_dim, Json& json) {
  const Rotary& rotary = position.rotary;
  if (rotary.layout != RotaryLayout::adjacent) json["rotary_layout"] = rotary_layout_name(rotary.layout);
  if (rotary.base != Rotary().base) json["rope_theta"] = rotary.base;
  // A fraction alone would leave the rounding open.
  if (rotary.dim != head_dim) json["rotary_dim"] = rotary.dim;
  if (position.share != 1) json["partial_rotary_factor"] = position.share;
  if (rotary.proportion != 1) json["rotary_proportion"] = rotary.proportion;
  if (Json scaling = std::visit(WriteScaling(), rotary.scaling); !scaling.is_null()) {
    json["rope_scaling"] = std::move(scaling);
  }
  // Its frequencies depend on "max_position_embeddings", which otherwise limits no rotation.
  if (const auto* dynamic = std::get_if<DynamicNtkScaling>(&rotary.scaling)) {
    json["max_position_embeddings"] = dynamic->original_positions;
  }
  if (rotary.grid_width != 0) json["rotary_grid_width"] = rotary.grid_width;
  if (position.learned) json["rotary_learned"] = true;
  if (position.xpos) {
    json["xpos_scale_base"] = position.xpos->scale_base;
    json["xpos_centre"] = position.xpos->center;
  }
}

}  // namespace roformer
