// How images lie and which pixels are computed together: what is the same whatever instructions convolve them.

#include "convolution.h"

static inline size_t least(size_t a, size_t b) { return a < b ? a : b; }

/// The smallest multiple of `width` that holds `count`.
static inline size_t panels(size_t count, size_t width) { return (count + width - 1) / width * width; }

/// Some channels of some images, copied with zeros around. Each row lies as `phases` runs of `width` numbers, the i-th of which holds the columns x with
/// x % phases == i: so pixels next to each other read numbers next to each other, whatever the stride.
struct source {
    float *first;
    size_t channels, rows, phases, width;
    /// How many rows and columns of zeros lie before the image.
    size_t top, left;
};

static inline size_t row_floats(const struct source *s) { return s->phases * s->width; }
static inline size_t plane_floats(const struct source *s) { return s->rows * row_floats(s); }
static inline size_t image_floats(const struct source *s) { return s->channels * plane_floats(s); }

/// Pixels of images, `rows` by `columns` each: what they read (each channel's taps) and where they are written.
struct lattice {
    size_t rows, columns;
    size_t taps_y, taps_x;
    /// Where in a plane of the source the first pixel's first tap lies, and how far below it the next row of pixels reads.
    size_t origin, row;
    /// Where in a plane of the target the first pixel lies, and how far the next row and the next column.
    size_t target_origin, target_row, target_column;
    /// How far the next plane and the next image of the target lie.
    size_t target_plane, target_image;
};

/// How far a tap reads behind the first.
static inline size_t tap_offset(const struct source *s, size_t tap_y, size_t tap_x) {
    return tap_y * row_floats(s) + tap_x % s->phases * s->width + tap_x / s->phases;
}

/// Pixels that lie next to each other: where among those asked for, how many, and where each begins.
struct run {
    size_t lane, length, source, target;
};

/// The runs of `count` pixels from `first` on, image after image.
static size_t runs_of(const struct lattice *l, size_t image_floats, size_t first, size_t count, struct run *runs) {
    size_t made = 0, pixels = l->rows * l->columns;
    for (size_t done = 0; done < count; made++) {
        size_t image = (first + done) / pixels, pixel = (first + done) % pixels;
        size_t row = pixel / l->columns, column = pixel % l->columns;
        size_t length = least(l->columns - column, count - done);
        runs[made] = (struct run){
            done, length, image * image_floats + l->origin + row * l->row + column,
            image * l->target_image + l->target_origin + row * l->target_row + column * l->target_column};
        done += length;
    }
    return made;
}

/// What the forward pass and the gradient of the weights read of one group's channels.
static struct source input_source(const struct kernels_convolution *c) {
    return (struct source){
        NULL, c->channels / c->groups, c->height + 2 * c->padding_y, c->stride_x,
        (c->width + 2 * c->padding_x + c->stride_x - 1) / c->stride_x, c->padding_y, c->padding_x};
}

static struct lattice output_lattice(const struct kernels_convolution *c, const struct source *s) {
    size_t rows = kernels_convolution_output_height(*c), columns = kernels_convolution_output_width(*c);
    return (struct lattice){
        rows, columns, c->kernel_height, c->kernel_width, 0, c->stride_y * row_floats(s), 0, columns, 1, rows * columns,
        c->outputs * rows * columns};
}

/// What the gradient of the input reads: the output's gradient of one group, with zeros wherever a tap of some pixel may reach.
static struct source gradient_source(const struct kernels_convolution *c) {
    size_t top = (c->kernel_height - 1) / c->stride_y, left = (c->kernel_width - 1) / c->stride_x;
    size_t rows = top + (c->height + c->padding_y + c->stride_y - 1) / c->stride_y;
    size_t columns = left + (c->width + c->padding_x + c->stride_x - 1) / c->stride_x;
    return (struct source){NULL, c->outputs / c->groups, rows, 1, columns, top, left};
}

/// Along one axis, the pixels of the input whose number plus padding leaves `phase` when divided by the stride: their taps are every stride-th of the kernel, from
/// number `phase` on, and pixel t of them (from `begin` on) reads rows t, t - 1, ... of the output's gradient.
struct phase {
    size_t begin, count, taps;
};

static struct phase phase_of(size_t phase, size_t length, size_t kernel, size_t stride, size_t padding) {
    size_t begin = padding > phase ? (padding - phase + stride - 1) / stride : 0;
    size_t end = length + padding > phase ? (length + padding - phase + stride - 1) / stride : 0;
    size_t taps = kernel > phase ? (kernel - phase + stride - 1) / stride : 0;
    return (struct phase){begin, end > begin ? end - begin : 0, taps};
}

/// The pixels of the input of one phase.
static struct lattice gradient_lattice(
    const struct kernels_convolution *c, const struct source *s, size_t phase_y, size_t phase_x) {
    struct phase y = phase_of(phase_y, c->height, c->kernel_height, c->stride_y, c->padding_y);
    struct phase x = phase_of(phase_x, c->width, c->kernel_width, c->stride_x, c->padding_x);
    struct lattice l = {.rows = y.count, .columns = x.count, .taps_y = y.taps, .taps_x = x.taps};
    if (l.rows * l.columns == 0) return l;
    // The last tap of the phase comes first, so that the source is read upwards; without taps nothing is read.
    l.origin = (y.begin + s->top + 1 - (y.taps ? y.taps : 1)) * row_floats(s) + x.begin + s->left + 1 - (x.taps ? x.taps : 1);
    l.row = row_floats(s);
    l.target_origin = (y.begin * c->stride_y + phase_y - c->padding_y) * c->width + x.begin * c->stride_x + phase_x - c->padding_x;
    l.target_row = c->stride_y * c->width;
    l.target_column = c->stride_x;
    l.target_plane = c->height * c->width;
    l.target_image = c->channels * l.target_plane;
    return l;
}

/// How many images are convolved together: so many that panels of columns are mostly full.
static size_t images_together(const struct kernels_convolution *c, size_t pixels) {
    return pixels == 0 ? 1 : least(c->batch, (511 + pixels) / pixels);
}

/// Whether each output sees one channel, and each channel few outputs: then a product of matrices has hardly any rows.
static inline bool is_depthwise(const struct kernels_convolution *c) {
    return c->channels == c->groups && c->outputs / c->groups < 4;
}
