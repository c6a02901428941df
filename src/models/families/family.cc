#include "models/families/family.h"

#include <algorithm>
#include <array>
#include <optional>

#include "base/error.h"

namespace roformer {

namespace {

constexpr std::array kFamilies{
    &families::roformer, &families::bert,    &families::llama,  &families::mistral,         &families::qwen2,
    &families::qwen3,    &families::gemma,   &families::gemma2, &families::gemma3,          &families::gpt_neox,
    &families::gptj,     &families::gpt_neo, &families::marian, &families::encoder_decoder, &families::translator};

// Finds the text of each star of `pattern` in `name`, the first one as short as possible.
bool match(std::string_view name, std::string_view pattern, std::vector<std::string_view>& stars) {
  const size_t star = pattern.find('*');
  if (star == pattern.npos) return name == pattern;
  if (!name.starts_with(pattern.substr(0, star))) return false;
  name.remove_prefix(star);
  pattern.remove_prefix(star + 1);
  for (size_t length = 0; length <= name.size(); ++length) {
    stars.push_back(name.substr(0, length));
    if (match(name.substr(length), pattern, stars)) return true;
    stars.pop_back();
  }
  return false;
}

std::string file_pattern(const Family& family, const TensorRule& rule) {
  return rule.theirs[0] == '.' ? std::string(family.trunk) + rule.theirs : rule.theirs;
}

}  // namespace

const Family* find_family(std::string_view model_type) {
  for (const Family* family : kFamilies) {
    if (std::ranges::find(family->model_types, model_type) != family->model_types.end()) return family;
  }
  return nullptr;
}

ModelKind find_architecture(std::string_view name) {
  for (const Family* family : kFamilies) {
    for (const Architecture& one : family->architectures) {
      if (name == one.name) return {.family = family, .head = one.head};
    }
  }
  return {.family = nullptr};
}

std::span<const Family* const> all_families() { return kFamilies; }

std::vector<std::string> architecture_names() {
  std::vector<std::string> names;
  for (const Family* family : kFamilies) {
    for (const Architecture& one : family->architectures) names.emplace_back(one.name);
  }
  return names;
}

std::vector<std::string> model_types() {
  std::vector<std::string> names;
  names.reserve(kFamilies.size());
  for (const Family* family : kFamilies) names.emplace_back(family->model_types.front());
  return names;
}

std::string renamed(std::string_view name, std::string_view from, std::string_view to) {
  std::vector<std::string_view> stars;
  if (!match(name, from, stars)) return "";
  std::string result;
  size_t used = 0;
  for (const char c : to) {
    if (c == '*') {
      result += stars[used++];
    } else {
      result += c;
    }
  }
  return result;
}

const TensorRule& rule_of(const Family& family, const std::string& ours) {
  for (const TensorRule& rule : family.tensors) {
    if (!renamed(ours, rule.ours, rule.ours).empty()) return rule;
  }
  throw DataError("the file format of {} has no name for {}", family.name, TensorName(ours));
}

std::string name_in_files(const Family& family, const std::string& ours) {
  const TensorRule& rule = rule_of(family, ours);
  return renamed(ours, rule.ours, file_pattern(family, rule));
}

std::vector<std::string> other_names(const Family& family, const std::string& theirs) {
  std::vector<std::string> names{theirs};
  for (const Spelling& spelling : family.spellings) {
    std::string other = renamed(theirs, spelling.theirs, spelling.other);
    if (!other.empty()) names.push_back(std::move(other));
  }
  const std::string prefix = std::string(family.trunk) + ".";
  for (size_t i = 0, count = names.size(); i < count; ++i) {
    if (names[i].starts_with(prefix)) names.push_back(names[i].substr(prefix.size()));
  }
  names.erase(names.begin());
  return names;
}

std::string canonical_name(const Family& family, const std::string& name) {
  const std::string prefix = std::string(family.trunk) + ".";
  const auto is_named = [&](const std::string& theirs) {
    return std::ranges::any_of(family.tensors, [&](const TensorRule& rule) {
      return !renamed(theirs, file_pattern(family, rule), rule.ours).empty();
    });
  };
  std::string first = name;
  for (const Spelling& spelling : family.spellings) {
    if (!spelling.outdated) continue;
    if (std::string current = renamed(name, spelling.other, spelling.theirs); !current.empty()) first = current;
  }
  if (!is_named(first) && is_named(prefix + first)) return prefix + first;
  return first;
}

std::string our_name(const Family& family, const std::string& name) {
  const std::string canonical = canonical_name(family, name);
  for (const TensorRule& rule : family.tensors) {
    if (std::string ours = renamed(canonical, file_pattern(family, rule), rule.ours); !ours.empty()) return ours;
  }
  return "";
}

bool is_of_trunk(std::string_view ours) {
  constexpr std::array<std::string_view, 5> kParts{"embeddings.", "positions.", "layers.", "final_norm.", "encoder."};
  return std::ranges::any_of(kParts, [&](std::string_view part) { return ours.starts_with(part); });
}

bool is_of_positions(std::string_view ours) {
  return ours.starts_with("positions.") || ours.find(".positions.") != ours.npos;
}

}  // namespace roformer
