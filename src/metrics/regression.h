// A number per example: correlations and errors, with the definitions of scipy and scikit-learn.
#pragma once

#include <span>

#include "metrics/metric_set.h"

namespace roformer {

// Of lists of equal length; ShapeError for others. NaN where one list is constant, has fewer than two values, or one
// that is not finite.
double pearson(std::span<const double> x, std::span<const double> y);
double spearman(std::span<const double> x, std::span<const double> y);     // ties have the mean of their ranks
double kendall_tau(std::span<const double> x, std::span<const double> y);  // tau-b

// NaN without values; R² also where `gold` is constant. ShapeError for lists of different lengths.
double mean_squared_error(std::span<const double> gold, std::span<const double> predicted);
double mean_absolute_error(std::span<const double> gold, std::span<const double> predicted);
double r_squared(std::span<const double> gold, std::span<const double> predicted);

// "pearson", "spearman", "kendall", "mse", "mae", "r2". All NaN where a value is not finite. ShapeError for lists of
// different lengths.
MetricSet regression_metrics(std::span<const double> gold, std::span<const double> predicted);

}  // namespace roformer
