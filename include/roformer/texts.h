// Texts as arguments. A function that takes Texts takes whatever holds texts one behind the other, without copying
// them: a std::vector, array or span of std::string, std::string_view or const char*, or a list in braces.
#pragma once

#include <concepts>
#include <cstddef>
#include <initializer_list>
#include <ranges>
#include <string>
#include <string_view>
#include <utility>

namespace roformer {
inline namespace v0 {

// One text of a list in braces. (A std::string_view would take {"a", "b"} for the two ends of one text.) Where a
// function takes one text or several, compilers differ over {view}: write view or Texts{view}.
class Text {
 public:
  template <std::convertible_to<std::string_view> Source>
  Text(const Source& source) : view_(source) {}
  operator std::string_view() const { return view_; }

 private:
  std::string_view view_;
};

// Elements one behind the other, each of which converts to a View.
template <class Range, class View>
concept HoldsViews = std::ranges::contiguous_range<const Range> && requires(const Range& range) {
  std::ranges::size(range);
  { *std::ranges::data(range) } -> std::convertible_to<View>;
};

// Views of the elements of a range, which must outlive it: as an argument, the call.
template <class View, class Element>
class ViewsOf {
 public:
  ViewsOf() = default;
  ViewsOf(std::initializer_list<Element> list) : ViewsOf(list.begin(), list.size()) {}
  template <HoldsViews<View> Range>
  ViewsOf(const Range& range) : ViewsOf(std::ranges::data(range), std::ranges::size(range)) {}

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  View operator[](size_t index) const { return at_(first_, index); }

 private:
  template <class Source>
  ViewsOf(const Source* first, size_t size)
      : first_(first),
        size_(size),
        at_([](const void* source, size_t index) -> View { return static_cast<const Source*>(source)[index]; }) {}

  const void* first_ = nullptr;
  size_t size_ = 0;
  View (*at_)(const void* first, size_t index) = nullptr;
};

using Texts = ViewsOf<std::string_view, Text>;

// Two texts that belong together, owned; functions also take pairs of std::string_view.
using TextPair = std::pair<std::string, std::string>;
using TextPairs = ViewsOf<std::pair<std::string_view, std::string_view>, std::pair<Text, Text>>;

}  // namespace v0
}  // namespace roformer
