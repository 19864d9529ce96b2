// For paths.h: convolutions as products of matrices, the second of which is read from images as it is packed.

#include "tiles.h"

#define STEPS 512
#define BLOCK_COLUMNS 256
/// From one row of what the gradient of weights reads to the next: no multiple of a page, so that rows do not drive each other out of the cache.
#define ROW_FLOATS (STEPS + 2 * LANES)

/// Copies images of `height` by `width` into a source: `stride` floats from one image to the next.
static void NAMED(copy_images)(
    const struct source *s, size_t images, const float *input, size_t stride, size_t height, size_t width) {
    for (size_t image = 0; image < images; image++) {
        for (size_t plane = 0; plane < s->channels; plane++) {
            const float *from = input + image * stride + plane * height * width;
            float *to = s->first + image * image_floats(s) + plane * plane_floats(s);
            for (size_t y = 0; y < s->rows; y++) {
                bool lies_inside = y >= s->top && y - s->top < height;
                for (size_t phase = 0; phase < s->phases; phase++, to += s->width) {
                    size_t begin = s->left > phase ? (s->left - phase + s->phases - 1) / s->phases : 0;
                    size_t end = s->left + width > phase ? (s->left + width - phase + s->phases - 1) / s->phases : 0;
                    begin = least(begin, s->width);
                    end = lies_inside ? least(end, s->width) : begin;
                    const float *row = lies_inside ? from + (y - s->top) * width : from;
                    for (size_t i = 0; i < begin; i++) to[i] = 0;
                    if (s->phases == 1) for (size_t i = begin; i < end; i++) to[i] = row[i - s->left];
                    else for (size_t i = begin; i < end; i++) to[i] = row[i * s->phases + phase - s->left];
                    for (size_t i = end > begin ? end : begin; i < s->width; i++) to[i] = 0;
                }
            }
        }
    }
}

/// Copies runs of pixels. Reads and writes whole vectors, up to LANES - 1 numbers further.
ALWAYS void NAMED(copy_runs)(const float *source, const struct run *runs, size_t count, float *target) {
    for (size_t i = 0; i < count; i++) {
        const float *from = source + runs[i].source;
        float *to = target + runs[i].lane;
        size_t done = 0;
        do {
            NAMED(store)(to + done, NAMED(loaded)(from + done));
            done += LANES;
        } while (done < runs[i].length);
    }
}

/// Packs columns of pixels: for each step (channel, tap_y, tap_x) what they read.
static void NAMED(pack_pixels)(
    const struct source *s, const struct lattice *l, const struct run *runs, size_t count, size_t step, size_t steps, float *target) {
    size_t tap_x = step % l->taps_x, tap_y = step / l->taps_x % l->taps_y;
    size_t planes = plane_floats(s), rows = row_floats(s);
    const float *plane = s->first + step / l->taps_x / l->taps_y * planes;
    size_t phase = tap_x % s->phases, shift = tap_x / s->phases;
    for (size_t p = 0; p < steps; p++, target += TILE_COLUMNS) {
        const float *read = plane + tap_y * rows + phase * s->width + shift;
        NAMED(copy_runs)(read, runs, count, target);
        __builtin_prefetch(read + planes + runs[0].source);
        if (++phase == s->phases) phase = 0, shift++;
        if (++tap_x < l->taps_x) continue;
        tap_x = phase = shift = 0;
        if (++tap_y < l->taps_y) continue;
        tap_y = 0;
        plane += planes;
    }
}

/// Columns that are packed together: each panel's runs, where they begin and end, and the same joined where what is written goes on.
struct NAMED(columns) {
    struct run runs[BLOCK_COLUMNS], writes[BLOCK_COLUMNS];
    size_t bounds[BLOCK_COLUMNS / TILE_COLUMNS + 1], write_bounds[BLOCK_COLUMNS / TILE_COLUMNS + 1];
};

static void NAMED(find_runs)(
    const struct source *s, const struct lattice *l, size_t first, size_t count, struct NAMED(columns) *columns) {
    size_t made = 0, written = 0;
    for (size_t j = 0, panel = 0; j < count; j += TILE_COLUMNS, panel++) {
        columns->bounds[panel] = made;
        columns->write_bounds[panel] = written;
        made += runs_of(l, image_floats(s), first + j, least(count - j, TILE_COLUMNS), columns->runs + made);
        for (size_t i = columns->bounds[panel]; i < made; i++) {
            struct run run = columns->runs[i], *last = columns->writes + written - 1;
            bool goes_on = written > columns->write_bounds[panel] && l->target_column == 1 && run.target == last->target + last->length;
            if (goes_on) last->length += run.length;
            else columns->writes[written++] = run;
        }
        columns->bounds[panel + 1] = made;
        columns->write_bounds[panel + 1] = written;
    }
}

/// A tile whose pixels are written run after run.
static void NAMED(scattered_tile)(
    size_t rows, size_t columns, size_t steps, const float *a, const float *b, const struct lattice *l, const struct run *writes,
    size_t count, float *target, bool accumulates) {
    float whole[TILE_ROWS * TILE_COLUMNS];
    NAMED(tile_of_columns)(rows, columns, steps, a, TILE_ROWS, b, TILE_COLUMNS, whole, TILE_COLUMNS, false);
    for (size_t i = 0; i < count; i++) {
        const float *from = whole + writes[i].lane;
        float *to = target + writes[i].target;
        size_t length = writes[i].length, step = l->target_column;
        for (size_t r = 0; r < rows; r++, from += TILE_COLUMNS, to += l->target_plane) {
            if (step == 1) {
                EACH(length, PUT(to, accumulates ? GET(to) + GET(from) : GET(from)););
            } else {
                for (size_t x = 0; x < length; x++) to[x * step] = accumulates ? to[x * step] + from[x] : from[x];
            }
        }
    }
}

/// Each pixel of some images: for each output the sum over channels and taps of packed weights times what the pixel reads.
static void NAMED(convolve)(
    const struct source *s, const struct lattice *l, size_t images, size_t outputs, const float *weights, float *target,
    float *packed) {
    size_t all = images * l->rows * l->columns, all_steps = s->channels * l->taps_y * l->taps_x;
    struct NAMED(columns) found;
    for (size_t first = 0; first < all; first += BLOCK_COLUMNS) {
        size_t count = least(all - first, BLOCK_COLUMNS);
        NAMED(find_runs)(s, l, first, count, &found);
        for (size_t step = 0; step < all_steps; step += STEPS) {
            size_t steps = least(all_steps - step, STEPS);
            for (size_t j = 0, panel = 0; j < count; j += TILE_COLUMNS, panel++) {
                const size_t *bounds = found.bounds + panel;
                NAMED(pack_pixels)(s, l, found.runs + bounds[0], bounds[1] - bounds[0], step, steps, packed + j * steps);
            }
            const float *a = weights + step * panels(outputs, TILE_ROWS);
            for (size_t i = 0; i < outputs; i += TILE_ROWS) {
                size_t rows = least(outputs - i, TILE_ROWS);
                float *planes = target + i * l->target_plane;
                for (size_t j = 0, panel = 0; j < count; j += TILE_COLUMNS, panel++) {
                    size_t width = least(count - j, TILE_COLUMNS), begin = found.write_bounds[panel];
                    size_t writes = found.write_bounds[panel + 1] - begin;
                    if (writes == 1 && width % LANES == 0 && l->target_column == 1) {
                        NAMED(tile_of_columns)(
                            rows, width, steps, a + i * steps, TILE_ROWS, packed + j * steps, TILE_COLUMNS,
                            planes + found.writes[begin].target, l->target_plane, step > 0);
                    } else {
                        NAMED(scattered_tile)(
                            rows, width, steps, a + i * steps, packed + j * steps, l, found.writes + begin, writes, planes, step > 0);
                    }
                }
            }
        }
    }
}

static void NAMED(pack_weights)(size_t outputs, size_t all_steps, const float *weights, float *target) {
    for (size_t step = 0; step < all_steps; step += STEPS) {
        size_t steps = least(all_steps - step, STEPS);
        float *block = target + step * panels(outputs, TILE_ROWS);
        for (size_t i = 0; i < outputs; i += TILE_ROWS) {
            const float *rows = weights + i * all_steps + step;
            NAMED(pack_rows)(least(outputs - i, TILE_ROWS), steps, rows, all_steps, NULL, 0, TILE_ROWS, block + i * steps);
        }
    }
}

/// Packs `count` taps of one output's weights from `tap` on: steps of one panel of `rows` input channels.
ALWAYS void NAMED(pack_taps)(
    const struct kernels_convolution *c, const struct lattice *l, size_t tap, size_t count, size_t rows, const float *weights, float *to) {
    size_t kernel = c->kernel_height * c->kernel_width, tap_x = tap % l->taps_x, tap_y = tap / l->taps_x;
    const float *row = weights - tap_y * c->stride_y * c->kernel_width;
    for (size_t p = 0; p < count; p++, to += TILE_ROWS) {
        const float *from = row - tap_x * c->stride_x;
#pragma clang loop vectorize(disable) unroll_count(4)
        for (size_t r = 0; r < rows; r++) to[r] = from[r * kernel];
        for (size_t r = rows; r < TILE_ROWS; r++) to[r] = 0;
        if (++tap_x < l->taps_x) continue;
        tap_x = 0;
        row -= c->stride_y * c->kernel_width;
    }
}

/// Packs what a phase of the input's gradient multiplies: rows are input channels, steps are (output, tap_y, tap_x), the kernel's taps last to first.
/// Output after output, so that weights are read in the order in which they lie.
static void NAMED(pack_phase)(
    const struct kernels_convolution *c, const struct lattice *l, size_t phase_y, size_t phase_x, const float *weights, float *target) {
    size_t channels = c->channels / c->groups, taps = l->taps_y * l->taps_x, kernel = c->kernel_height * c->kernel_width;
    size_t all_steps = c->outputs / c->groups * taps;
    weights += (phase_y + c->stride_y * (l->taps_y - 1)) * c->kernel_width + phase_x + c->stride_x * (l->taps_x - 1);
    for (size_t step = 0; step < all_steps; step += STEPS) {
        size_t steps = least(all_steps - step, STEPS);
        float *block = target + step * panels(channels, TILE_ROWS);
        for (size_t p = 0; p < steps;) {
            size_t output = (step + p) / taps, tap = (step + p) % taps, count = least(taps - tap, steps - p);
            for (size_t i = 0; i < channels; i += TILE_ROWS) {
                NAMED(pack_taps)(
                    c, l, tap, count, least(channels - i, TILE_ROWS), weights + (output * channels + i) * kernel,
                    block + i * steps + p * TILE_ROWS);
            }
            p += count;
        }
    }
}

/// Where the parts of the workspace begin.
struct NAMED(parts) {
    /// One group's images; its packed weights, or the rows that its gradient of weights reads; what is packed of images.
    size_t images, weights, packed, all;
};

static struct NAMED(parts) NAMED(parts_of)(size_t images, size_t weights, size_t packed) {
    struct NAMED(parts) parts = {0};
    parts.weights = parts.images + ALIGNED(images + LANES);
    parts.packed = parts.weights + ALIGNED(weights + LANES);
    parts.all = parts.packed + ALIGNED(packed + LANES) + ALIGNMENT;
    return parts;
}

static struct NAMED(parts) NAMED(forward_parts)(const struct kernels_convolution *c) {
    struct source s = input_source(c);
    size_t pixels = kernels_convolution_output_height(*c) * kernels_convolution_output_width(*c);
    size_t steps = s.channels * c->kernel_height * c->kernel_width;
    return NAMED(parts_of)(
        images_together(c, pixels) * image_floats(&s), c->groups * panels(c->outputs / c->groups, TILE_ROWS) * steps,
        least(steps, STEPS) * BLOCK_COLUMNS);
}

static void NAMED(forward)(
    const struct kernels_convolution *c, const float *input, const float *weights, float *output, float *workspace) {
    struct NAMED(parts) parts = NAMED(forward_parts)(c);
    workspace = NAMED(aligned)(workspace);
    struct source s = input_source(c);
    s.first = workspace + parts.images;
    struct lattice l = output_lattice(c, &s);
    size_t outputs = c->outputs / c->groups, steps = s.channels * l.taps_y * l.taps_x;
    size_t packed_floats = panels(outputs, TILE_ROWS) * steps;
    for (size_t group = 0; group < c->groups; group++) {
        NAMED(pack_weights)(outputs, steps, weights + group * outputs * steps, workspace + parts.weights + group * packed_floats);
    }
    size_t together = images_together(c, l.rows * l.columns), input_plane = c->height * c->width;
    for (size_t image = 0; image < c->batch; image += together) {
        size_t images = least(c->batch - image, together);
        for (size_t group = 0; group < c->groups; group++) {
            const float *channels = input + (image * c->channels + group * s.channels) * input_plane;
            NAMED(copy_images)(&s, images, channels, c->channels * input_plane, c->height, c->width);
            NAMED(convolve)(
                &s, &l, images, outputs, workspace + parts.weights + group * packed_floats,
                output + image * l.target_image + group * outputs * l.target_plane, workspace + parts.packed);
        }
    }
}

static struct NAMED(parts) NAMED(gradient_parts)(const struct kernels_convolution *c) {
    struct source s = gradient_source(c);
    size_t weights = panels(c->channels / c->groups, TILE_ROWS) * s.channels * c->kernel_height * c->kernel_width;
    return NAMED(parts_of)(
        images_together(c, c->height * c->width) * image_floats(&s), c->groups * weights, (size_t)STEPS * BLOCK_COLUMNS);
}

/// Writes zeros to the pixels of a phase that has no taps.
static void NAMED(clear_phase)(const struct lattice *l, size_t images, size_t planes, float *target) {
    for (size_t image = 0; image < images; image++) {
        for (size_t plane = 0; plane < planes; plane++) {
            float *first = target + image * l->target_image + plane * l->target_plane + l->target_origin;
            for (size_t y = 0; y < l->rows; y++) {
                for (size_t x = 0; x < l->columns; x++) first[y * l->target_row + x * l->target_column] = 0;
            }
        }
    }
}

static void NAMED(input_gradient)(
    const struct kernels_convolution *c, const float *gradient, const float *weights, float *target, float *workspace) {
    struct NAMED(parts) parts = NAMED(gradient_parts)(c);
    workspace = NAMED(aligned)(workspace);
    struct source s = gradient_source(c);
    s.first = workspace + parts.images;
    size_t height = kernels_convolution_output_height(*c), width = kernels_convolution_output_width(*c);
    size_t channels = c->channels / c->groups, kernel = c->kernel_height * c->kernel_width, pixels = c->height * c->width;
    float *packed_weights = workspace + parts.weights;
    for (size_t group = 0; group < c->groups; group++) {
        for (size_t phase = 0; phase < c->stride_y * c->stride_x; phase++) {
            struct lattice l = gradient_lattice(c, &s, phase / c->stride_x, phase % c->stride_x);
            if (l.taps_y * l.taps_x == 0) continue;
            NAMED(pack_phase)(
                c, &l, phase / c->stride_x, phase % c->stride_x, weights + group * s.channels * channels * kernel, packed_weights);
            packed_weights += panels(channels, TILE_ROWS) * s.channels * l.taps_y * l.taps_x;
        }
    }
    size_t together = images_together(c, pixels);
    for (size_t image = 0; image < c->batch; image += together) {
        size_t images = least(c->batch - image, together);
        packed_weights = workspace + parts.weights;
        for (size_t group = 0; group < c->groups; group++) {
            const float *planes = gradient + (image * c->outputs + group * s.channels) * height * width;
            NAMED(copy_images)(&s, images, planes, c->outputs * height * width, height, width);
            float *first = target + (image * c->channels + group * channels) * pixels;
            for (size_t phase = 0; phase < c->stride_y * c->stride_x; phase++) {
                struct lattice l = gradient_lattice(c, &s, phase / c->stride_x, phase % c->stride_x);
                if (s.channels * l.taps_y * l.taps_x == 0) {
                    NAMED(clear_phase)(&l, images, channels, first);
                    continue;
                }
                NAMED(convolve)(&s, &l, images, channels, packed_weights, first, workspace + parts.packed);
                packed_weights += panels(channels, TILE_ROWS) * s.channels * l.taps_y * l.taps_x;
            }
        }
    }
}

static struct NAMED(parts) NAMED(weight_parts)(const struct kernels_convolution *c) {
    struct source s = input_source(c);
    size_t pixels = kernels_convolution_output_height(*c) * kernels_convolution_output_width(*c);
    return NAMED(parts_of)(images_together(c, pixels) * image_floats(&s), TILE_ROWS * ROW_FLOATS, (size_t)STEPS * BLOCK_COLUMNS);
}

/// Packs the gradients of some pixels, each a step of `outputs` numbers in panels of TILE_COLUMNS, times the scale of their image.
static void NAMED(pack_gradients)(
    const struct lattice *l, size_t first, size_t count, size_t outputs, const float *gradient, const float *scale, float *target) {
    size_t pixels = l->target_plane;
    for (size_t done = 0; done < count;) {
        size_t image = (first + done) / pixels, pixel = (first + done) % pixels, length = least(pixels - pixel, count - done);
        const float *from = gradient + image * l->target_image + pixel;
        for (size_t j = 0; j < outputs; j += TILE_COLUMNS) {
            NAMED(pack_rows)(
                least(outputs - j, TILE_COLUMNS), length, from + j * pixels, pixels, scale ? scale + image : NULL, 0, TILE_COLUMNS,
                target + j * count + done * TILE_COLUMNS);
        }
        done += length;
    }
}

/// Writes a tile's rows as columns, or adds them: `columns` rows of `rows` numbers, `stride` apart.
static void NAMED(write_transposed)(
    const float *tile, size_t rows, size_t columns, float *target, size_t stride, bool accumulates) {
    for (size_t j = 0; j < columns; j += LANES) {
        vector square[LANES];
#pragma clang loop unroll(full)
        for (size_t r = 0; r < LANES; r++) square[r] = r < TILE_ROWS ? NAMED(loaded)(tile + r * TILE_COLUMNS + j) : (vector){0};
        NAMED(transpose)(square);
        for (size_t i = 0; i < LANES && j + i < columns; i++) {
            float *row = target + (j + i) * stride;
            const float *from = (const float *)(square + i);
            for (size_t r = 0; r < rows; r++) row[r] = accumulates ? row[r] + from[r] : from[r];
        }
    }
}

/// The gradient of one group's weights: (outputs, channels, taps).
static void NAMED(sum_weights)(
    const struct source *s, const struct lattice *l, size_t images, size_t outputs, const float *gradient, const float *scale,
    bool accumulates, float *target, float *rows_read, float *packed) {
    size_t all = images * l->rows * l->columns, weights = s->channels * l->taps_y * l->taps_x;
    struct run runs[STEPS];
    for (size_t first = 0; first < all; first += STEPS) {
        size_t count = least(all - first, STEPS);
        size_t found = runs_of(l, image_floats(s), first, count, runs);
        for (size_t output = 0; output < outputs; output += BLOCK_COLUMNS) {
            size_t block = least(outputs - output, BLOCK_COLUMNS);
            NAMED(pack_gradients)(l, first, count, block, gradient + output * l->target_plane, scale, packed);
            for (size_t weight = 0; weight < weights; weight += TILE_ROWS) {
                size_t rows = least(weights - weight, TILE_ROWS);
                for (size_t r = 0; r < rows; r++) {
                    size_t tap = (weight + r) % (l->taps_y * l->taps_x), channel = (weight + r) / (l->taps_y * l->taps_x);
                    size_t offset = channel * plane_floats(s) + tap_offset(s, tap / l->taps_x, tap % l->taps_x);
                    NAMED(copy_runs)(s->first + offset, runs, found, rows_read + r * ROW_FLOATS);
                }
                for (size_t j = 0; j < block; j += TILE_COLUMNS) {
                    float whole[TILE_ROWS * TILE_COLUMNS];
                    size_t width = least(block - j, TILE_COLUMNS);
                    NAMED(tile_of_rows)(
                        rows, width, count, rows_read, ROW_FLOATS, packed + j * count, TILE_COLUMNS, whole, TILE_COLUMNS, false);
                    NAMED(write_transposed)(
                        whole, rows, width, target + (output + j) * weights + weight, weights, accumulates || first > 0);
                }
            }
        }
    }
}

static void NAMED(weight_gradient)(
    const struct kernels_convolution *c, const float *input, const float *gradient, const float *scale, bool accumulates,
    float *target, float *workspace) {
    struct NAMED(parts) parts = NAMED(weight_parts)(c);
    workspace = NAMED(aligned)(workspace);
    struct source s = input_source(c);
    s.first = workspace + parts.images;
    struct lattice l = output_lattice(c, &s);
    size_t outputs = c->outputs / c->groups, weights = s.channels * l.taps_y * l.taps_x;
    size_t together = images_together(c, l.rows * l.columns), input_plane = c->height * c->width;
    for (size_t image = 0; image < c->batch; image += together) {
        size_t images = least(c->batch - image, together);
        for (size_t group = 0; group < c->groups; group++) {
            const float *channels = input + (image * c->channels + group * s.channels) * input_plane;
            NAMED(copy_images)(&s, images, channels, c->channels * input_plane, c->height, c->width);
            NAMED(sum_weights)(
                &s, &l, images, outputs, gradient + image * l.target_image + group * outputs * l.target_plane,
                scale ? scale + image : NULL, accumulates || image > 0, target + group * outputs * weights,
                workspace + parts.weights, workspace + parts.packed);
        }
    }
}

#include "depthwise_text.h"

static size_t NAMED(workspace)(const struct kernels_convolution *c) {
    size_t forward = NAMED(forward_parts)(c).all, input = NAMED(gradient_parts)(c).all, weights = NAMED(weight_parts)(c).all;
    return forward > input ? (forward > weights ? forward : weights) : (input > weights ? input : weights);
}

#undef STEPS
#undef BLOCK_COLUMNS
#undef ROW_FLOATS
#include "text_end.h"
