// For paths.h: what is done to rows. Sums are taken in double, LANES of them side by side.

#include "functions.h"

static double NAMED(sum)(size_t count, const float *x) {
    wide sum = {0};
    EACH(count, sum += NAMED(widened)(GET(x)););
    return NAMED(lane_sum)(sum);
}

static double NAMED(dot)(size_t count, const float *a, const float *b) {
    wide sum = {0};
    EACH(count, sum += NAMED(widened)(GET(a)) * NAMED(widened)(GET(b)););
    return NAMED(lane_sum)(sum);
}

static void NAMED(sums_of_squares_of_rows)(size_t rows, size_t columns, const float *x, size_t stride, double *target) {
    for (size_t r = 0; r < rows; r++) target[r] = NAMED(dot)(columns, x + r * stride, x + r * stride);
}

/// The largest number of a row, whatever its NaNs.
ALWAYS float NAMED(largest)(size_t count, const float *x) {
    vector most = (vector){0} - __builtin_inff();
    EACH(count, vector part = NAMED(get_or)(x + i, n, -__builtin_inff()); most = NAMED(pick)(part > most, part, most););
    float largest = most[0];
    for (size_t i = 1; i < LANES; i++) largest = most[i] > largest ? most[i] : largest;
    return largest;
}

/// Writes exp(x - most), and gives the sum.
ALWAYS double NAMED(exponentials)(size_t count, const float *x, float most, float *target) {
    wide sum = {0};
    EACH(count, {
        vector e = NAMED(exp)(NAMED(get_or)(x + i, n, -__builtin_inff()) - most);
        // (Lanes behind the row are no part of the sum, even where `most` is infinite.)
        if (n < LANES) {
            for (size_t j = n; j < LANES; j++) e[j] = 0;
        }
        sum += NAMED(widened)(e);
        if (target) PUT(target, e);
    });
    return NAMED(lane_sum)(sum);
}

static void NAMED(softmax)(size_t rows, size_t columns, const float *x, float *target) {
    for (size_t r = 0; r < rows; r++, x += columns, target += columns) {
        float factor = (float)(1 / NAMED(exponentials)(columns, x, NAMED(largest)(columns, x), target));
        EACH(columns, PUT(target, GET(target) * factor););
    }
}

static void NAMED(softmax_backward)(size_t rows, size_t columns, const float *y, const float *gradient, float *target) {
    for (size_t r = 0; r < rows; r++, y += columns, gradient += columns, target += columns) {
        float mean = (float)NAMED(dot)(columns, y, gradient);
        EACH(columns, PUT(target, GET(y) * (GET(gradient) - mean)););
    }
}

static void NAMED(log_softmax)(size_t rows, size_t columns, const float *x, float *target) {
    for (size_t r = 0; r < rows; r++, x += columns, target += columns) {
        float most = NAMED(largest)(columns, x);
        float logarithm = (float)log_of(NAMED(exponentials)(columns, x, most, NULL));
        EACH(columns, PUT(target, GET(x) - most - logarithm););
    }
}

static void NAMED(log_softmax_backward)(size_t rows, size_t columns, const float *y, const float *gradient, float *target) {
    for (size_t r = 0; r < rows; r++, y += columns, gradient += columns, target += columns) {
        float sum = (float)NAMED(sum)(columns, gradient);
        EACH(columns, PUT(target, GET(gradient) - NAMED(exp)(GET(y)) * sum););
    }
}

static void NAMED(cross_entropy)(
    size_t rows, size_t classes, const float *logits, const int32_t *labels, const float *weight, float *losses, float *gradient) {
    for (size_t r = 0; r < rows; r++, logits += classes) {
        float *target = gradient ? gradient + r * classes : NULL, factor = weight ? weight[r] : 1;
        if (labels[r] < 0 || (size_t)labels[r] >= classes) {
            if (losses) losses[r] = 0;
            if (target) EACH(classes, PUT(target, (vector){0}););
            continue;
        }
        float most = NAMED(largest)(classes, logits), label = logits[labels[r]];
        double sum = NAMED(exponentials)(classes, logits, most, target);
        if (losses) losses[r] = (float)((double)factor * (log_of(sum) - ((double)label - most)));
        if (!target) continue;
        // The label's own is minus the sum of the others', which does not cancel.
        double others = sum - (double)target[labels[r]];
        float share = (float)(factor / sum);
        EACH(classes, PUT(target, GET(target) * share););
        target[labels[r]] = (float)(-(double)factor * others / sum);
    }
}

static void NAMED(mean_and_variance)(size_t count, const float *x, double *mean, double *variance) {
    *mean = NAMED(sum)(count, x) / (double)count;
    wide sum = {0};
    EACH(count, {
        wide difference = NAMED(widened)(GET(x)) - *mean;
        if (n < LANES) {
            for (size_t j = n; j < LANES; j++) difference[j] = 0;
        }
        sum += difference * difference;
    });
    *variance = NAMED(lane_sum)(sum) / (double)count;
}

static void NAMED(mean_and_variance_of_rows)(size_t rows, size_t columns, const float *x, float *means, float *variances) {
    for (size_t r = 0; r < rows; r++) {
        double mean, variance;
        NAMED(mean_and_variance)(columns, x + r * columns, &mean, &variance);
        means[r] = (float)mean;
        variances[r] = (float)variance;
    }
}

/// The numbers of one row that are done together: all, each with its own parameter, or those of one plane, which share theirs.
struct NAMED(segment) {
    size_t first, length, parameter;
    bool shares;
};

ALWAYS size_t NAMED(segments)(const struct kernels_normalization *s) {
    return s->columns == 0 ? 0 : s->plane == 1 ? 1 : s->columns / s->plane;
}

ALWAYS struct NAMED(segment) NAMED(segment_of)(const struct kernels_normalization *s, size_t row, size_t segment) {
    size_t parameters = row % s->groups * (s->columns / s->plane);
    if (s->plane == 1) return (struct NAMED(segment)){0, s->columns, parameters, false};
    return (struct NAMED(segment)){segment * s->plane, s->plane, parameters + segment, true};
}

/// The parameters of `n` numbers of a segment from `i` on; `absent` where there are none.
ALWAYS vector NAMED(parameters)(const float *all, struct NAMED(segment) segment, size_t i, size_t n, float absent) {
    if (!all) return (vector){0} + absent;
    return segment.shares ? (vector){0} + all[segment.parameter] : NAMED(get)(all + segment.parameter + i, n);
}

static void NAMED(normalization_forward)(
    const struct kernels_normalization *s, const float *x, const float *weight, const float *bias, float *target, float *means,
    float *reciprocals) {
    for (size_t row = 0; row < s->rows; row++) {
        double mean, variance;
        NAMED(mean_and_variance)(s->columns, x + row * s->columns, &mean, &variance);
        float center = means[row] = (float)mean;
        float reciprocal = reciprocals[row] = (float)(1 / __builtin_elementwise_sqrt(variance + (double)s->epsilon));
        for (size_t k = 0; k < NAMED(segments)(s); k++) {
            struct NAMED(segment) segment = NAMED(segment_of)(s, row, k);
            const float *from = x + row * s->columns + segment.first;
            float *to = target + row * s->columns + segment.first;
            EACH(segment.length, {
                vector normal = (GET(from) - center) * reciprocal;
                PUT(to, normal * NAMED(parameters)(weight, segment, i, n, 1) + NAMED(parameters)(bias, segment, i, n, 0));
            });
        }
    }
}

/// Adds what a segment gives to the gradients of its parameters, times `scale`.
ALWAYS void NAMED(add_parameters)(
    struct NAMED(segment) segment, const float *x, const float *gradient, float center, float reciprocal, float scale,
    float *weight_gradient, float *bias_gradient) {
    if (segment.shares) {
        wide products = {0}, sum = {0};
        EACH(segment.length, {
            vector g = GET(gradient);
            products += NAMED(widened)(g * ((GET(x) - center) * reciprocal));
            sum += NAMED(widened)(g);
        });
        if (weight_gradient) weight_gradient[segment.parameter] += scale * (float)NAMED(lane_sum)(products);
        if (bias_gradient) bias_gradient[segment.parameter] += scale * (float)NAMED(lane_sum)(sum);
        return;
    }
    float *weights = weight_gradient ? weight_gradient + segment.parameter : NULL;
    float *biases = bias_gradient ? bias_gradient + segment.parameter : NULL;
    EACH(segment.length, {
        vector g = scale * GET(gradient);
        if (weights) PUT(weights, GET(weights) + g * ((GET(x) - center) * reciprocal));
        if (biases) PUT(biases, GET(biases) + g);
    });
}

/// Writes the gradient of a row: with h = gradient * weight and n the normalised row, (h - mean(h) - n mean(h n)) / sqrt(variance + epsilon).
ALWAYS void NAMED(normalization_row)(
    const struct kernels_normalization *s, size_t row, const float *x, const float *weight, float center, float reciprocal,
    const float *gradient, float *target) {
    wide sum = {0}, products = {0};
    for (size_t k = 0; k < NAMED(segments)(s); k++) {
        struct NAMED(segment) segment = NAMED(segment_of)(s, row, k);
        const float *from = x + segment.first, *slopes = gradient + segment.first;
        EACH(segment.length, {
            vector h = GET(slopes) * NAMED(parameters)(weight, segment, i, n, 1);
            sum += NAMED(widened)(h);
            products += NAMED(widened)(h * ((GET(from) - center) * reciprocal));
        });
    }
    float mean = (float)(NAMED(lane_sum)(sum) / (double)s->columns);
    float product = (float)(NAMED(lane_sum)(products) / (double)s->columns);
    for (size_t k = 0; k < NAMED(segments)(s); k++) {
        struct NAMED(segment) segment = NAMED(segment_of)(s, row, k);
        const float *from = x + segment.first, *slopes = gradient + segment.first;
        float *to = target + segment.first;
        EACH(segment.length, {
            vector h = GET(slopes) * NAMED(parameters)(weight, segment, i, n, 1);
            PUT(to, (h - mean - (GET(from) - center) * reciprocal * product) * reciprocal);
        });
    }
}

static void NAMED(normalization_backward)(
    const struct kernels_normalization *s, const float *x, const float *weight, const float *means, const float *reciprocals,
    const float *gradient, const float *scale, float *target, float *weight_gradient, float *bias_gradient) {
    for (size_t row = 0; row < s->rows; row++) {
        const float *from = x + row * s->columns, *slopes = gradient + row * s->columns;
        for (size_t k = 0; k < NAMED(segments)(s) && (weight_gradient || bias_gradient); k++) {
            struct NAMED(segment) segment = NAMED(segment_of)(s, row, k);
            NAMED(add_parameters)(
                segment, from + segment.first, slopes + segment.first, means[row], reciprocals[row], scale ? scale[row] : 1,
                weight_gradient, bias_gradient);
        }
        if (!target) continue;
        NAMED(normalization_row)(
            s, row, from, weight, means[row], reciprocals[row], slopes, target + row * s->columns);
    }
}

#include "text_end.h"
