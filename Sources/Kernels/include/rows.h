#pragma once

#include "kernels.h"

/// The sum of all numbers, in double.
double kernels_sum(size_t count, const float *x, enum kernels_instructions instructions);

/// The sum of all squares, in double.
double kernels_sum_of_squares(size_t count, const float *x, enum kernels_instructions instructions);

/// The sum of all products, in double.
double kernels_dot(size_t count, const float *a, const float *b, enum kernels_instructions instructions);

/// For each row its sum of squares, in double. Rows are `stride` floats apart.
void kernels_sums_of_squares_of_rows(
    size_t rows, size_t columns, const float *x, size_t stride, double *target, enum kernels_instructions instructions);

/// For each row its largest number and the column of it, the first of equals; a NaN is larger than any number. Rows of no columns give minus infinity and -1.
/// Either target may be null.
void kernels_max_of_rows(
    size_t rows, size_t columns, const float *x, float *largest, int32_t *argument, enum kernels_instructions instructions);

/// For each row its mean and its variance (divided by the number of columns, not by one less), of double sums.
void kernels_mean_and_variance_of_rows(
    size_t rows, size_t columns, const float *x, float *mean, float *variance, enum kernels_instructions instructions);

/// target = exp(x) / (sum of exp(x) over the row).
void kernels_softmax(
    size_t rows, size_t columns, const float *x, float *target, enum kernels_instructions instructions);

/// Writes the gradient of a softmax's input, given its output y and the gradient of that.
void kernels_softmax_backward(
    size_t rows, size_t columns, const float *y, const float *gradient, float *target, enum kernels_instructions instructions);

/// target = x - log(sum of exp(x) over the row).
void kernels_log_softmax(
    size_t rows, size_t columns, const float *x, float *target, enum kernels_instructions instructions);

/// Writes the gradient of a log-softmax's input, given its output y and the gradient of that.
void kernels_log_softmax_backward(
    size_t rows, size_t columns, const float *y, const float *gradient, float *target, enum kernels_instructions instructions);

/// For each row, weight[row] times its cross entropy at the label, and the gradient of that by the logits. `weight` may be null (1 each), and so may `losses` and
/// `gradient`. A row whose label is not a class has loss and gradient 0.
void kernels_cross_entropy(
    size_t rows, size_t classes, const float *logits, const int32_t *labels, const float *weight, float *losses,
    float *gradient, enum kernels_instructions instructions);

/// Layer and group normalisation. A row is what is normalised together: for layers, a row of the table; for groups of channels of an image, the planes of one group.
struct kernels_normalization {
    /// How many rows: for groups, images times groups.
    size_t rows;
    /// Numbers a row: for groups, the group's channels times pixels.
    size_t columns;
    /// How many groups: 1 for a layer. Row r belongs to group r % groups. Divides `rows`.
    size_t groups;
    /// How many neighbouring numbers share a parameter: 1 for a layer, the pixels of a plane for groups. Divides `columns`. The parameter of column c in row r is number
    /// (r % groups) * (columns / plane) + c / plane.
    size_t plane;
    /// Added to the variance.
    float epsilon;
};

/// Writes the normalised rows times `weight` plus `bias` (either may be null), and for each row its mean and 1 / sqrt(variance + epsilon).
void kernels_normalization_forward(
    struct kernels_normalization normalization, const float *x, const float *weight, const float *bias, float *target, float *mean,
    float *reciprocal, enum kernels_instructions instructions);

/// Writes the gradient of x (unless the target is null), and adds the gradients of the parameters, each row's multiplied by its number in `scale` (null: by 1), to
/// `weight_gradient` and `bias_gradient` (unless they are null).
void kernels_normalization_backward(
    struct kernels_normalization normalization, const float *x, const float *weight, const float *mean, const float *reciprocal,
    const float *gradient, const float *scale, float *target, float *weight_gradient, float *bias_gradient,
    enum kernels_instructions instructions);
