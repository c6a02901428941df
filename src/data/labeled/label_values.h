// Labels as files write them: names, numbers, letters.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace roformer {

std::string_view trim_spaces(std::string_view text);  // without white space (ASCII) around it

// The finite number that is all of `text`.
std::optional<double> parse_finite(std::string_view text);

// The one of `labels` that a file means: its name, with any capitals; its number, also as 1.0, where the labels are
// words; and true or false for 1 and 0.
std::optional<std::string> find_label(std::span<const std::string> labels, std::string_view text);

// "a", "b" of "a,b", "a; b" and "a|b"; of a JSON list its elements, and nothing if that is broken.
std::optional<std::vector<std::string>> split_labels(std::string_view text);

// The index of the right choice: the choice itself, else a letter from A, else a number from 0.
std::optional<int64_t> find_choice(std::span<const std::string> choices, std::string_view text);
std::optional<int64_t> find_choice_number(std::span<const std::string> choices, std::string_view text);

// Writes 1.0 as 1 if all labels are whole numbers, as programs write those of a column that had gaps.
void write_whole_numbers(std::span<std::string* const> labels);

}  // namespace roformer
