// A number per example: correlations and errors, with the definitions of scipy and scikit-learn.
#pragma once

#include <span>

#include "metrics/metric_set.h"

namespace roformer {

// "pearson", "spearman" (ties have the mean of their ranks), "kendall" (tau-b), "mse", "mae", "r2". A correlation is
// NaN where one list is constant or has fewer than two values, R² where `gold` is constant; all are where a value is
// not finite, or there is none. ShapeError for lists of different lengths.
MetricSet regression_metrics(std::span<const double> gold, std::span<const double> predicted);

}  // namespace roformer
