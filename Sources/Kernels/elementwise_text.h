// For paths.h: what is done to each number by itself, sums over rows and images, steps of optimisers.

#include "functions.h"

static void NAMED(add)(size_t count, const float *a, const float *b, float *target) {
    EACH(count, PUT(target, GET(a) + GET(b)););
}

static void NAMED(multiply)(size_t count, const float *a, const float *b, float *target) {
    EACH(count, PUT(target, GET(a) * GET(b)););
}

static void NAMED(scale)(size_t count, float factor, const float *a, float *target) {
    EACH(count, PUT(target, factor * GET(a)););
}

static void NAMED(axpy)(size_t count, float factor, const float *a, float *target) {
    EACH(count, PUT(target, GET(target) + factor * GET(a)););
}

static void NAMED(apply)(enum kernels_function function, size_t count, const float *x, float *target) {
    switch (function) {
    case kernels_relu: EACH(count, PUT(target, NAMED(relu)(GET(x)));); return;
    case kernels_gelu: EACH(count, PUT(target, NAMED(gelu)(GET(x)));); return;
    case kernels_gelu_tanh: EACH(count, PUT(target, NAMED(gelu_tanh)(GET(x)));); return;
    case kernels_tanh: EACH(count, PUT(target, NAMED(tanh)(GET(x)));); return;
    case kernels_sigmoid: EACH(count, PUT(target, NAMED(sigmoid)(GET(x)));); return;
    case kernels_exp: EACH(count, PUT(target, NAMED(exp)(GET(x)));); return;
    case kernels_erf: EACH(count, PUT(target, NAMED(erf)(GET(x)));); return;
    }
}

static void NAMED(apply_backward)(
    enum kernels_function function, size_t count, const float *value, const float *gradient, float *target) {
    switch (function) {
    case kernels_relu:
        EACH(count, PUT(target, NAMED(pick)(GET(value) <= 0.0f, (vector){0}, GET(gradient))););
        return;
    case kernels_gelu: EACH(count, PUT(target, GET(gradient) * NAMED(gelu_slope)(GET(value)));); return;
    case kernels_gelu_tanh: EACH(count, PUT(target, GET(gradient) * NAMED(gelu_tanh_slope)(GET(value)));); return;
    case kernels_tanh: EACH(count, vector y = GET(value); PUT(target, GET(gradient) * (1.0f - y * y));); return;
    case kernels_sigmoid: EACH(count, vector y = GET(value); PUT(target, GET(gradient) * (y * (1.0f - y)));); return;
    case kernels_exp: EACH(count, PUT(target, GET(gradient) * GET(value));); return;
    case kernels_erf:
        EACH(count, vector x = GET(value); PUT(target, GET(gradient) * (1.12837916709551257390f * NAMED(exp)(x * x * -1.0f))););
        return;
    }
}

static void NAMED(add_bias_to_rows)(size_t rows, size_t columns, const float *x, const float *bias, float *target) {
    for (size_t r = 0; r < rows; r++) NAMED(add)(columns, x + r * columns, bias, target + r * columns);
}

static void NAMED(add_bias_to_channels)(
    size_t images, size_t channels, size_t plane, const float *x, const float *bias, float *target) {
    for (size_t row = 0; row < images * channels; row++) {
        float addend = bias[row % channels];
        const float *from = x + row * plane;
        float *to = target + row * plane;
        EACH(plane, PUT(to, GET(from) + addend););
    }
}

static void NAMED(sum_of_rows)(
    size_t rows, size_t columns, const float *x, const float *scale, bool accumulates, float *target) {
    EACH(columns, {
        wide sum = {0};
        for (size_t r = 0; r < rows; r++) {
            vector part = GET(x + r * columns);
            sum += scale ? NAMED(widened)(part) * (double)scale[r] : NAMED(widened)(part);
        }
        if (accumulates) sum += NAMED(widened)(GET(target));
        PUT(target, __builtin_convertvector(sum, vector));
    });
}

static double NAMED(sum)(size_t count, const float *x) {
    wide sum = {0};
    EACH(count, sum += NAMED(widened)(GET(x)););
    return NAMED(lane_sum)(sum);
}

static void NAMED(sum_of_channels)(
    size_t images, size_t channels, size_t plane, const float *x, const float *scale, bool accumulates, float *target) {
    for (size_t c = 0; c < channels; c++) {
        double sum = accumulates ? target[c] : 0;
        for (size_t image = 0; image < images; image++) {
            sum += NAMED(sum)(plane, x + (image * channels + c) * plane) * (scale ? (double)scale[image] : 1);
        }
        target[c] = (float)sum;
    }
}

static void NAMED(sgd_step)(
    const struct kernels_sgd *sgd, size_t count, const float *gradient, float *velocity, float *weights) {
    const float rate = sgd->rate, momentum = sgd->momentum, decay = sgd->weight_decay;
    if (momentum == 0) {
        EACH(count, vector w = GET(weights); PUT(weights, w - rate * (GET(gradient) + decay * w)););
        return;
    }
    const bool nesterov = sgd->nesterov;
    EACH(count, {
        vector w = GET(weights);
        vector g = GET(gradient) + decay * w;
        vector v = momentum * GET(velocity) + g;
        PUT(velocity, v);
        PUT(weights, w - rate * (nesterov ? g + momentum * v : v));
    });
}


static void NAMED(adam_step)(
    const struct kernels_adam *adam, double bias1, double bias2, size_t count, const float *gradient, float *first, float *second,
    float *weights) {
    const float beta1 = adam->beta1, beta2 = adam->beta2, rest1 = (float)(1 - (double)beta1), rest2 = (float)(1 - (double)beta2);
    const float decay = adam->decoupled ? 0 : adam->weight_decay, epsilon = adam->epsilon;
    const float kept = adam->decoupled ? (float)(1 - (double)adam->rate * adam->weight_decay) : 1;
    const float rate = (float)(adam->rate / bias1), root = (float)(1 / __builtin_elementwise_sqrt(bias2));
    EACH(count, {
        vector w = GET(weights);
        vector g = GET(gradient) + decay * w;
        vector m = beta1 * GET(first) + rest1 * g;
        vector v = beta2 * GET(second) + rest2 * (g * g);
        PUT(first, m);
        PUT(second, v);
        PUT(weights, kept * w - rate * m / (__builtin_elementwise_sqrt(v) * root + epsilon));
    });
}

static void NAMED(round_to_grid)(size_t count, const float *x, double scale, int64_t *target) {
    const double magic = 0x1p52, end = 0x1p63;
    EACH(count, {
        wide value = NAMED(widened)(GET(x)) * scale;
        wide sign = (wide)((wide_words)value & INT64_MIN);
        wide added = (wide)((wide_words)((wide){0} + magic) | (wide_words)sign);
        // Adding 2^52 leaves no bits for a fraction, and rounds halves to even; from there on all doubles are whole.
        wide rounded = (value + added) - added;
        rounded = NAMED(pick_wide)((value < magic) & (value > -magic), rounded, value);
        wide_words above = rounded >= end;
        wide_words below = rounded < -end;
        wide_words none = rounded != rounded;
        wide inside = NAMED(pick_wide)(above | below | none, (wide){0}, rounded);
        wide_words whole = __builtin_convertvector(inside, wide_words);
        whole = whole | (above & INT64_MAX) | (below & INT64_MIN);
        for (size_t j = 0; j < n; j++) target[i + j] = whole[j];
    });
}

static void NAMED(from_grid)(size_t count, const int64_t *x, double step, float *target) {
    for (size_t i = 0; i < count; i++) target[i] = (float)((double)x[i] * step);
}

#include "text_end.h"
