#include "convolution_shapes.h"

#define TEXT "convolution_text.h"
#include "paths.h"

static size_t output_length(size_t length, size_t kernel, size_t stride, size_t padding) {
    return length + 2 * padding < kernel ? 0 : (length + 2 * padding - kernel) / stride + 1;
}

size_t kernels_convolution_output_height(struct kernels_convolution c) {
    return output_length(c.height, c.kernel_height, c.stride_y, c.padding_y);
}

size_t kernels_convolution_output_width(struct kernels_convolution c) {
    return output_length(c.width, c.kernel_width, c.stride_x, c.padding_x);
}

/// How many pixels an output plane has.
static size_t output_plane(const struct kernels_convolution *c) {
    return kernels_convolution_output_height(*c) * kernels_convolution_output_width(*c);
}

static void clear(float *target, size_t count) {
    for (size_t i = 0; i < count; i++) target[i] = 0;
}

size_t kernels_convolution_workspace(struct kernels_convolution convolution, enum kernels_instructions instructions) {
    return CHOSEN(instructions, workspace, &convolution);
}

void kernels_convolution_forward(
    struct kernels_convolution c, const float *input, const float *weights, const float *bias, float *output, float *workspace,
    enum kernels_instructions instructions) {
    size_t pixels = output_plane(&c);
    if (pixels == 0) return;
    if (c.channels == 0) clear(output, c.batch * c.outputs * pixels);
    else if (is_depthwise(&c)) CHOSEN(instructions, depthwise_forward, &c, input, weights, output, workspace);
    else CHOSEN(instructions, forward, &c, input, weights, output, workspace);
    if (!bias) return;
    for (size_t plane = 0; plane < c.batch * c.outputs; plane++) {
        float addend = bias[plane % c.outputs];
        for (size_t i = 0; i < pixels; i++) output[plane * pixels + i] += addend;
    }
}

void kernels_convolution_input_gradient(
    struct kernels_convolution c, const float *output_gradient, const float *weights, float *input_gradient, float *workspace,
    enum kernels_instructions instructions) {
    if (c.outputs == 0 || output_plane(&c) == 0) clear(input_gradient, c.batch * c.channels * c.height * c.width);
    else if (is_depthwise(&c)) {
        CHOSEN(instructions, depthwise_input_gradient, &c, output_gradient, weights, input_gradient, workspace);
    } else CHOSEN(instructions, input_gradient, &c, output_gradient, weights, input_gradient, workspace);
}

void kernels_convolution_weight_gradient(
    struct kernels_convolution c, const float *input, const float *output_gradient, const float *scale, bool accumulates,
    float *weights_gradient, float *workspace, enum kernels_instructions instructions) {
    if (c.batch == 0 || output_plane(&c) == 0) {
        if (!accumulates) clear(weights_gradient, c.outputs * (c.channels / c.groups) * c.kernel_height * c.kernel_width);
        return;
    }
    if (is_depthwise(&c)) {
        CHOSEN(
            instructions, depthwise_weight_gradient, &c, input, output_gradient, scale, accumulates, weights_gradient, workspace);
    } else CHOSEN(instructions, weight_gradient, &c, input, output_gradient, scale, accumulates, weights_gradient, workspace);
}

void kernels_im2col(struct kernels_convolution c, const float *input, float *target) {
    size_t rows = kernels_convolution_output_height(c), columns = kernels_convolution_output_width(c);
    for (size_t channel = 0; channel < c.channels / c.groups; channel++, input += c.height * c.width) {
        for (size_t tap = 0; tap < c.kernel_height * c.kernel_width; tap++) {
            for (size_t row = 0; row < rows; row++, target += columns) {
                size_t y = row * c.stride_y + tap / c.kernel_width;
                bool lies_inside = y >= c.padding_y && y - c.padding_y < c.height;
                for (size_t column = 0; column < columns; column++) {
                    size_t x = column * c.stride_x + tap % c.kernel_width - c.padding_x;
                    target[column] = lies_inside && x < c.width ? input[(y - c.padding_y) * c.width + x] : 0;
                }
            }
        }
    }
}
