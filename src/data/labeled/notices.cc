#include "data/labeled/notices.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace roformer {

void Notices::count(std::string verb, std::string noun, std::string rest, int64_t line) {
  auto entry = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& other) {
    return other.number > 0 && other.verb == verb && other.noun == noun && other.rest == rest;
  });
  if (entry == entries_.end()) {
    entries_.push_back({std::move(verb), std::move(noun), std::move(rest), 0, line});
    entry = entries_.end() - 1;
  }
  ++entry->number;
}

void Notices::say(std::string notice) { entries_.push_back({.verb = std::move(notice)}); }

std::vector<std::string> Notices::lines(const std::string& path) const {
  std::vector<std::string> lines;
  for (const Entry& entry : entries_) {
    if (entry.number == 0) {
      lines.push_back(fmt::format("{}: {}", path, entry.verb));
    } else {
      lines.push_back(fmt::format("{}: {} {} {}{} {}, {} {} {}", path, entry.verb, entry.number, entry.noun,
                                  entry.number == 1 ? "" : "s", entry.rest, entry.number == 1 ? "at" : "the first at",
                                  unit_, entry.line));
    }
  }
  return lines;
}

}  // namespace roformer
