#include "elementwise.h"

#define TEXT "elementwise_text.h"
#include "paths.h"

void kernels_add(size_t count, const float *a, const float *b, float *target, enum kernels_instructions instructions) {
    CHOSEN(instructions, add, count, a, b, target);
}

void kernels_multiply(size_t count, const float *a, const float *b, float *target, enum kernels_instructions instructions) {
    CHOSEN(instructions, multiply, count, a, b, target);
}

void kernels_scale(size_t count, float factor, const float *a, float *target, enum kernels_instructions instructions) {
    CHOSEN(instructions, scale, count, factor, a, target);
}

void kernels_axpy(size_t count, float factor, const float *a, float *target, enum kernels_instructions instructions) {
    CHOSEN(instructions, axpy, count, factor, a, target);
}

void kernels_apply(
    enum kernels_function function, size_t count, const float *x, float *target, enum kernels_instructions instructions) {
    CHOSEN(instructions, apply, function, count, x, target);
}

void kernels_apply_backward(
    enum kernels_function function, size_t count, const float *value, const float *gradient, float *target,
    enum kernels_instructions instructions) {
    CHOSEN(instructions, apply_backward, function, count, value, gradient, target);
}

void kernels_add_bias_to_rows(
    size_t rows, size_t columns, const float *x, const float *bias, float *target, enum kernels_instructions instructions) {
    CHOSEN(instructions, add_bias_to_rows, rows, columns, x, bias, target);
}

void kernels_add_bias_to_channels(
    size_t images, size_t channels, size_t plane, const float *x, const float *bias, float *target,
    enum kernels_instructions instructions) {
    CHOSEN(instructions, add_bias_to_channels, images, channels, plane, x, bias, target);
}

void kernels_sum_of_rows(
    size_t rows, size_t columns, const float *x, const float *scale, bool accumulates, float *target,
    enum kernels_instructions instructions) {
    CHOSEN(instructions, sum_of_rows, rows, columns, x, scale, accumulates, target);
}

void kernels_sum_of_channels(
    size_t images, size_t channels, size_t plane, const float *x, const float *scale, bool accumulates, float *target,
    enum kernels_instructions instructions) {
    CHOSEN(instructions, sum_of_channels, images, channels, plane, x, scale, accumulates, target);
}

void kernels_sgd_step(
    struct kernels_sgd sgd, size_t count, const float *gradient, float *velocity, float *weights,
    enum kernels_instructions instructions) {
    CHOSEN(instructions, sgd_step, &sgd, count, gradient, velocity, weights);
}

/// 1 - base^exponent, by squaring.
static double one_less_power(double base, uint64_t exponent) {
    double power = 1;
    for (; exponent > 0; exponent >>= 1, base *= base) {
        if (exponent & 1) power *= base;
    }
    return 1 - power;
}

void kernels_adam_step(
    struct kernels_adam adam, size_t count, const float *gradient, float *first_moment, float *second_moment, float *weights,
    enum kernels_instructions instructions) {
    double bias1 = one_less_power(adam.beta1, adam.step), bias2 = one_less_power(adam.beta2, adam.step);
    CHOSEN(instructions, adam_step, &adam, bias1, bias2, count, gradient, first_moment, second_moment, weights);
}

void kernels_round_to_grid(
    size_t count, const float *x, double scale, int64_t *target, enum kernels_instructions instructions) {
    CHOSEN(instructions, round_to_grid, count, x, scale, target);
}

void kernels_from_grid(
    size_t count, const int64_t *x, double step, float *target, enum kernels_instructions instructions) {
    CHOSEN(instructions, from_grid, count, x, step, target);
}
