#pragma once

#include "kernels.h"

// A target may be one of the arguments, in all functions of this file that write as many numbers as they read.

/// target = a + b.
void kernels_add(size_t count, const float *a, const float *b, float *target, enum kernels_instructions instructions);

/// target = a * b.
void kernels_multiply(size_t count, const float *a, const float *b, float *target, enum kernels_instructions instructions);

/// target = factor * a.
void kernels_scale(size_t count, float factor, const float *a, float *target, enum kernels_instructions instructions);

/// target = target + factor * a.
void kernels_axpy(size_t count, float factor, const float *a, float *target, enum kernels_instructions instructions);

/// A function of one number.
enum kernels_function {
    /// max(x, 0).
    kernels_relu = 0,
    /// x Phi(x), by the error function.
    kernels_gelu = 1,
    /// 0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))).
    kernels_gelu_tanh = 2,
    /// tanh(x).
    kernels_tanh = 3,
    /// 1 / (1 + exp(-x)).
    kernels_sigmoid = 4,
    /// exp(x).
    kernels_exp = 5,
    /// erf(x).
    kernels_erf = 6,
} __attribute__((enum_extensibility(closed)));

/// target = f(x). NaN stays NaN and infinities go where the function's limit is.
void kernels_apply(
    enum kernels_function function, size_t count, const float *x, float *target, enum kernels_instructions instructions);

/// target = gradient * f'(x). `value` is x for ReLU, both GELU and erf, but f(x) for tanh, sigmoid and exp (for ReLU either will do).
void kernels_apply_backward(
    enum kernels_function function, size_t count, const float *value, const float *gradient, float *target,
    enum kernels_instructions instructions);

/// target[r, c] = x[r, c] + bias[c].
void kernels_add_bias_to_rows(
    size_t rows, size_t columns, const float *x, const float *bias, float *target, enum kernels_instructions instructions);

/// target[i, c, p] = x[i, c, p] + bias[c], for pixels p of a plane.
void kernels_add_bias_to_channels(
    size_t images, size_t channels, size_t plane, const float *x, const float *bias, float *target,
    enum kernels_instructions instructions);

/// target[c] = sum over r of scale[r] x[r, c], added to target[c] where `accumulates`; a null scale is 1. The gradient of a bias of rows.
void kernels_sum_of_rows(
    size_t rows, size_t columns, const float *x, const float *scale, bool accumulates, float *target,
    enum kernels_instructions instructions);

/// target[c] = sum over i of scale[i] times the sum over p of x[i, c, p], added to target[c] where `accumulates`; a null scale is 1. The gradient of a bias of
/// channels.
void kernels_sum_of_channels(
    size_t images, size_t channels, size_t plane, const float *x, const float *scale, bool accumulates, float *target,
    enum kernels_instructions instructions);

/// A step of stochastic gradient descent as PyTorch has it (dampening 0).
struct kernels_sgd {
    /// The learning rate.
    float rate;
    /// 0 for none.
    float momentum;
    /// L2: this much of the weight is added to its gradient.
    float weight_decay;
    /// Nesterov's momentum.
    bool nesterov;
};

/// Updates weights and their velocities, which are zeros before the first step; `velocity` is not looked at where momentum is 0.
void kernels_sgd_step(
    struct kernels_sgd sgd, size_t count, const float *gradient, float *velocity, float *weights,
    enum kernels_instructions instructions);

/// A step of Adam (Kingma and Ba 2015) or AdamW (Loshchilov and Hutter 2019) as PyTorch has them.
struct kernels_adam {
    /// The learning rate.
    float rate;
    /// The decay of the mean of gradients.
    float beta1;
    /// The decay of the mean of their squares.
    float beta2;
    /// Added to the root.
    float epsilon;
    /// How much of a weight decays.
    float weight_decay;
    /// Whether weights decay by themselves (AdamW) and not by their gradient.
    bool decoupled;
    /// 1 for the first step.
    uint64_t step;
};

/// Updates weights and the two moments, which are zeros before the first step.
void kernels_adam_step(
    struct kernels_adam adam, size_t count, const float *gradient, float *first_moment, float *second_moment, float *weights,
    enum kernels_instructions instructions);

/// target = x * scale, multiplied in double and rounded to the nearest integer, halves to even; what lies outside of 64 bits becomes the nearest that lies inside, NaN 0.
void kernels_round_to_grid(
    size_t count, const float *x, double scale, int64_t *target, enum kernels_instructions instructions);

/// target = x * step, multiplied in double and rounded to float.
void kernels_from_grid(size_t count, const int64_t *x, double step, float *target, enum kernels_instructions instructions);
