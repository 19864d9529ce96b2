#include "rows.h"

/// log of a number that is 0, NaN, infinite or normal: x = 2^e m with m in [sqrt(1/2), sqrt(2)), and log m = 2 atanh((m - 1) / (m + 1)). Within 2 ulp.
static double log_of(double x) {
    if (x == 0) return -__builtin_inf();
    if (!(x < __builtin_inf())) return x;
    uint64_t bits;
    __builtin_memcpy(&bits, &x, sizeof bits);
    // So that what is left of the exponent is that of a number in [sqrt(1/2), sqrt(2)).
    uint64_t moved = bits - 0x3fe6a09e667f3bcdULL;
    int64_t exponent = (int64_t)moved >> 52;
    bits -= (uint64_t)exponent << 52;
    double m;
    __builtin_memcpy(&m, &bits, sizeof m);
    double s = (m - 1) / (m + 1), square = s * s, sum = 0;
    for (int power = 21; power >= 3; power -= 2) sum = (sum + 1.0 / power) * square;
    return (double)exponent * 0x1.62e42fefa39efp-1 + (2 * s + 2 * s * sum);
}

#define TEXT "rows_text.h"
#include "paths.h"

double kernels_sum(size_t count, const float *x, enum kernels_instructions instructions) {
    return CHOSEN(instructions, sum, count, x);
}

double kernels_sum_of_squares(size_t count, const float *x, enum kernels_instructions instructions) {
    return CHOSEN(instructions, dot, count, x, x);
}

double kernels_dot(size_t count, const float *a, const float *b, enum kernels_instructions instructions) {
    return CHOSEN(instructions, dot, count, a, b);
}

void kernels_sums_of_squares_of_rows(
    size_t rows, size_t columns, const float *x, size_t stride, double *target, enum kernels_instructions instructions) {
    CHOSEN(instructions, sums_of_squares_of_rows, rows, columns, x, stride, target);
}

void kernels_max_of_rows(
    size_t rows, size_t columns, const float *x, float *largest, int32_t *argument, enum kernels_instructions instructions) {
    (void)instructions;
    for (size_t r = 0; r < rows; r++, x += columns) {
        float most = -__builtin_inff();
        int32_t where = columns > 0 ? 0 : -1;
        for (size_t c = 0; c < columns && most == most; c++) {
            if (x[c] > most || x[c] != x[c]) most = x[c], where = (int32_t)c;
        }
        if (largest) largest[r] = most;
        if (argument) argument[r] = where;
    }
}

void kernels_mean_and_variance_of_rows(
    size_t rows, size_t columns, const float *x, float *mean, float *variance, enum kernels_instructions instructions) {
    CHOSEN(instructions, mean_and_variance_of_rows, rows, columns, x, mean, variance);
}

void kernels_softmax(
    size_t rows, size_t columns, const float *x, float *target, enum kernels_instructions instructions) {
    CHOSEN(instructions, softmax, rows, columns, x, target);
}

void kernels_softmax_backward(
    size_t rows, size_t columns, const float *y, const float *gradient, float *target, enum kernels_instructions instructions) {
    CHOSEN(instructions, softmax_backward, rows, columns, y, gradient, target);
}

void kernels_log_softmax(
    size_t rows, size_t columns, const float *x, float *target, enum kernels_instructions instructions) {
    CHOSEN(instructions, log_softmax, rows, columns, x, target);
}

void kernels_log_softmax_backward(
    size_t rows, size_t columns, const float *y, const float *gradient, float *target, enum kernels_instructions instructions) {
    CHOSEN(instructions, log_softmax_backward, rows, columns, y, gradient, target);
}

void kernels_cross_entropy(
    size_t rows, size_t classes, const float *logits, const int32_t *labels, const float *weight, float *losses,
    float *gradient, enum kernels_instructions instructions) {
    CHOSEN(instructions, cross_entropy, rows, classes, logits, labels, weight, losses, gradient);
}

void kernels_normalization_forward(
    struct kernels_normalization normalization, const float *x, const float *weight, const float *bias, float *target, float *mean,
    float *reciprocal, enum kernels_instructions instructions) {
    CHOSEN(instructions, normalization_forward, &normalization, x, weight, bias, target, mean, reciprocal);
}

void kernels_normalization_backward(
    struct kernels_normalization normalization, const float *x, const float *weight, const float *mean, const float *reciprocal,
    const float *gradient, const float *scale, float *target, float *weight_gradient, float *bias_gradient,
    enum kernels_instructions instructions) {
    CHOSEN(
        instructions, normalization_backward, &normalization, x, weight, mean, reciprocal, gradient, scale, target, weight_gradient,
        bias_gradient);
}
