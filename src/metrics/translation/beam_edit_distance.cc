#include "metrics/translation/beam_edit_distance.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace roformer {
namespace {

constexpr double kBeamWidth = 25;  // columns on each side of the diagonal
constexpr int32_t kUnreachable = 1 << 30;

enum class Step : uint8_t { keep, exchange, insert, erase };

}  // namespace

BeamEditDistance::BeamEditDistance(std::span<const uint32_t> reference, size_t length)
    : reference_(reference), before_(reference.size() + 1), row_(reference.size() + 1) {
  const size_t columns = reference.size() + 1;
  // The diagonal of a matrix that is not square. It must not leave the beam from one row to the next.
  const double slope = length == 0 ? 1 : static_cast<double>(reference.size()) / static_cast<double>(length);
  const double width = kBeamWidth < slope / 2 ? std::ceil(slope / 2 + kBeamWidth) : kBeamWidth;
  bands_.push_back({.begin = 0, .end = columns, .offset = 0});
  for (size_t i = 1; i <= length; ++i) {
    const double diagonal = std::floor(static_cast<double>(i) * slope);
    const auto begin = static_cast<size_t>(std::max(0.0, diagonal - width));
    const size_t end = i == length ? columns : std::min(columns, static_cast<size_t>(diagonal + width));
    bands_.push_back({begin, end, bands_.back().offset + bands_.back().end - bands_.back().begin});
  }
  cells_.resize(bands_.back().offset + bands_.back().end - bands_.back().begin);
  for (size_t j = 0; j < columns; ++j) cells_[j] = static_cast<int32_t>(j);
}

void BeamEditDistance::load_row(size_t row) {
  const Band& band = bands_[row];
  std::copy_n(cells_.begin() + static_cast<int64_t>(band.offset), band.end - band.begin,
              row_.begin() + static_cast<int64_t>(band.begin));
}

// From row_, which is row - 1, to row_.
void BeamEditDistance::next_row(size_t row, uint32_t word) {
  std::swap(before_, row_);
  const Band &last = bands_[row - 1], &band = bands_[row];
  for (size_t j = last.end; j < band.end; ++j) before_[j] = kUnreachable;
  if (band.begin > 0 && band.begin == last.begin) before_[band.begin - 1] = kUnreachable;
  const size_t first = std::max<size_t>(band.begin, 1);
  const int32_t* before = before_.data();
  const uint32_t* reference = reference_.data();
  int32_t* cells = row_.data();
  for (size_t j = first; j < band.end; ++j) {
    cells[j] = std::min(before[j - 1] + static_cast<int32_t>(reference[j - 1] != word), before[j] + 1);
  }
  int32_t left = kUnreachable;
  if (band.begin == 0) left = cells[0] = before[0] + 1;
  for (size_t j = first; j < band.end; ++j) left = cells[j] = std::min(cells[j], left + 1);
}

int64_t BeamEditDistance::set(std::span<const uint32_t> hypothesis) {
  hypothesis_.assign(hypothesis.begin(), hypothesis.end());
  load_row(0);
  for (size_t i = 1; i < bands_.size(); ++i) {
    next_row(i, hypothesis[i - 1]);
    const Band& band = bands_[i];
    std::copy_n(row_.begin() + static_cast<int64_t>(band.begin), band.end - band.begin,
                cells_.begin() + static_cast<int64_t>(band.offset));
  }
  return row_.back();
}

int64_t BeamEditDistance::of_neighbor(std::span<const uint32_t> hypothesis, size_t same, int64_t limit) {
  load_row(same);
  for (size_t i = same + 1; i < bands_.size(); ++i) {
    next_row(i, hypothesis[i - 1]);
    const Band& band = bands_[i];
    const auto begin = row_.begin();
    const int64_t least =
        *std::min_element(begin + static_cast<int64_t>(band.begin), begin + static_cast<int64_t>(band.end));
    if (least > limit) return least;  // distances never fall from row to row
  }
  return row_.back();
}

int32_t BeamEditDistance::cell(size_t row, size_t column) const {
  const Band& band = bands_[row];
  return column >= band.begin && column < band.end ? cells_[band.offset + column - band.begin] : kUnreachable;
}

WordAlignment BeamEditDistance::alignment() const {
  std::vector<Step> steps;
  for (size_t i = hypothesis_.size(), j = reference_.size(); i > 0 || j > 0;) {
    const bool both = i > 0 && j > 0, equal = both && hypothesis_[i - 1] == reference_[j - 1];
    if (both && cell(i - 1, j - 1) + (equal ? 0 : 1) == cell(i, j)) {
      steps.push_back(equal ? Step::keep : Step::exchange);
      --i;
      --j;
    } else if (i > 0 && (j == 0 || cell(i - 1, j) + 1 == cell(i, j))) {
      steps.push_back(Step::erase);
      --i;
    } else {
      steps.push_back(Step::insert);
      --j;
    }
  }
  WordAlignment result;
  int64_t position = -1;  // in the hypothesis
  for (auto step = steps.rbegin(); step != steps.rend(); ++step) {
    const bool wrong = *step != Step::keep;
    if (*step != Step::insert) {
      ++position;
      result.hypothesis_wrong.push_back(wrong);
    }
    if (*step != Step::erase) {
      result.hypothesis_of.push_back(position);
      result.reference_wrong.push_back(wrong);
    }
  }
  return result;
}

}  // namespace roformer
