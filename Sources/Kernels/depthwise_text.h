// For paths.h: convolutions whose outputs see one channel each, summed pixel by pixel next to each other.

/// Weights of taps, and how far the next channel's, row's and column's lie.
struct NAMED(taps) {
    const float *first;
    ptrdiff_t channel, row, column;
};

/// The sum over channels and taps of weight times number, for the LANES pixels that read from `source` on.
ALWAYS vector NAMED(tap_sum)(
    const struct source *s, const struct lattice *l, struct NAMED(taps) taps, const float *source, size_t count) {
    vector sum = {0};
    for (size_t channel = 0; channel < s->channels; channel++, source += plane_floats(s)) {
        for (size_t y = 0; y < l->taps_y; y++) {
            const float *weight = taps.first + (ptrdiff_t)channel * taps.channel + (ptrdiff_t)y * taps.row;
            const float *row = source + y * row_floats(s);
            size_t phase = 0, shift = 0;
            for (size_t x = 0; x < l->taps_x; x++, weight += taps.column) {
                sum += *weight * NAMED(get)(row + phase * s->width + shift, count);
                if (++phase == s->phases) phase = 0, shift++;
            }
        }
    }
    return sum;
}

/// Each pixel of one plane.
static void NAMED(convolve_plane)(
    const struct source *s, const struct lattice *l, struct NAMED(taps) taps, float *target) {
    for (size_t y = 0; y < l->rows; y++) {
        const float *source = s->first + l->origin + y * l->row;
        float *row = target + l->target_origin + y * l->target_row;
        EACH(l->columns, {
            vector sum = NAMED(tap_sum)(s, l, taps, source + i, n);
            if (l->target_column == 1) {
                PUT(row, sum);
            } else {
                for (size_t j = 0; j < n; j++) row[(i + j) * l->target_column] = sum[j];
            }
        });
    }
}

static void NAMED(depthwise_forward)(
    const struct kernels_convolution *c, const float *input, const float *weights, float *output, float *workspace) {
    struct source s = input_source(c);
    s.first = NAMED(aligned)(workspace);
    struct lattice l = output_lattice(c, &s);
    size_t multiple = c->outputs / c->groups, kernel = l.taps_y * l.taps_x;
    for (size_t plane = 0; plane < c->batch * c->channels; plane++) {
        NAMED(copy_images)(&s, 1, input + plane * c->height * c->width, 0, c->height, c->width);
        for (size_t i = 0; i < multiple; i++) {
            const float *first = weights + (plane % c->channels * multiple + i) * kernel;
            struct NAMED(taps) taps = {first, 0, (ptrdiff_t)l.taps_x, 1};
            NAMED(convolve_plane)(&s, &l, taps, output + (plane * multiple + i) * l.target_plane);
        }
    }
}

static void NAMED(depthwise_input_gradient)(
    const struct kernels_convolution *c, const float *gradient, const float *weights, float *target, float *workspace) {
    struct source s = gradient_source(c);
    s.first = NAMED(aligned)(workspace);
    size_t height = kernels_convolution_output_height(*c), width = kernels_convolution_output_width(*c);
    size_t kernel = c->kernel_height * c->kernel_width;
    for (size_t plane = 0; plane < c->batch * c->channels; plane++) {
        NAMED(copy_images)(&s, 1, gradient + plane * s.channels * height * width, 0, height, width);
        const float *channel = weights + plane % c->channels * s.channels * kernel;
        for (size_t phase = 0; phase < c->stride_y * c->stride_x; phase++) {
            size_t phase_y = phase / c->stride_x, phase_x = phase % c->stride_x;
            struct lattice l = gradient_lattice(c, &s, phase_y, phase_x);
            // The kernel's taps are taken last to first, as the source is read upwards.
            size_t y = l.taps_y ? phase_y + c->stride_y * (l.taps_y - 1) : 0, x = l.taps_x ? phase_x + c->stride_x * (l.taps_x - 1) : 0;
            struct NAMED(taps) taps = {
                channel + y * c->kernel_width + x, (ptrdiff_t)kernel, -(ptrdiff_t)(c->stride_y * c->kernel_width),
                -(ptrdiff_t)c->stride_x};
            NAMED(convolve_plane)(&s, &l, taps, target + plane * c->height * c->width);
        }
    }
}

/// The sum over a plane's pixels of gradient times what one tap reads.
ALWAYS double NAMED(tap_gradient)(const struct lattice *l, const float *source, const float *gradient) {
    vector sum = {0};
    for (size_t y = 0; y < l->rows; y++) {
        const float *numbers = source + y * l->row, *slopes = gradient + y * l->columns;
        EACH(l->columns, sum += GET(numbers) * GET(slopes););
    }
    return NAMED(lane_sum)(NAMED(widened)(sum));
}

static void NAMED(depthwise_weight_gradient)(
    const struct kernels_convolution *c, const float *input, const float *gradient, const float *scale, bool accumulates,
    float *target, float *workspace) {
    struct source s = input_source(c);
    s.first = NAMED(aligned)(workspace);
    struct lattice l = output_lattice(c, &s);
    size_t multiple = c->outputs / c->groups, kernel = l.taps_y * l.taps_x;
    for (size_t plane = 0; plane < c->batch * c->channels; plane++) {
        NAMED(copy_images)(&s, 1, input + plane * c->height * c->width, 0, c->height, c->width);
        size_t image = plane / c->channels;
        for (size_t i = 0; i < multiple * kernel; i++) {
            size_t tap = i % kernel;
            const float *source = s.first + tap_offset(&s, tap / l.taps_x, tap % l.taps_x);
            const float *slopes = gradient + (plane * multiple + i / kernel) * l.target_plane;
            float *weight = target + plane % c->channels * multiple * kernel + i;
            float sum = (float)(NAMED(tap_gradient)(&l, source, slopes) * (scale ? (double)scale[image] : 1));
            *weight = accumulates || image > 0 ? *weight + sum : sum;
        }
    }
}
