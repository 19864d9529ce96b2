#include "ring.h"

#if defined(__aarch64__)
#include <arm_neon.h>
#endif

/// Where the second operand of a product is an image to be unfolded: a row for each (channel, ky, kx), a column for each output pixel.
struct unfolded {
    const struct kernels_convolution *convolution;
    size_t output_width;
};

#define TEXT "ring_paths_text.h"
#include "paths.h"

size_t kernels_ring64_workspace(struct kernels_ring64_product product, enum kernels_instructions instructions) {
    return CHOSEN(instructions, ring64_workspace, &product);
}

void kernels_ring64_multiply(struct kernels_ring64_product product, uint64_t *workspace, enum kernels_instructions instructions) {
    CHOSEN(instructions, ring64_multiply, &product, NULL, workspace);
}

size_t kernels_ring32_workspace(struct kernels_ring32_product product, enum kernels_instructions instructions) {
    return CHOSEN(instructions, ring32_workspace, &product);
}

void kernels_ring32_multiply(struct kernels_ring32_product product, uint32_t *workspace, enum kernels_instructions instructions) {
    CHOSEN(instructions, ring32_multiply, &product, NULL, workspace);
}

/// The product that one group of one image is; its second operand is the group's first channel.
static struct kernels_ring64_product product_of(struct kernels_convolution c, const uint64_t *input, const uint64_t *weights, bool accumulates, uint64_t *output) {
    size_t pixels = kernels_convolution_output_height(c) * kernels_convolution_output_width(c);
    size_t steps = c.channels / c.groups * c.kernel_height * c.kernel_width;
    return (struct kernels_ring64_product){
        .m = c.outputs / c.groups, .n = pixels, .k = steps, .a = weights, .lda = steps, .b = input, .ldb = pixels, .c = output,
        .ldc = pixels, .accumulates = accumulates};
}

size_t kernels_ring64_convolution_workspace(struct kernels_convolution convolution, enum kernels_instructions instructions) {
    struct kernels_ring64_product product = product_of(convolution, NULL, NULL, false, NULL);
    return CHOSEN(instructions, ring64_workspace, &product);
}

void kernels_ring64_convolve(
    struct kernels_convolution c, const uint64_t *input, const uint64_t *weights, bool accumulates, uint64_t *output,
    uint64_t *workspace, enum kernels_instructions instructions) {
    struct unfolded image = {&c, kernels_convolution_output_width(c)};
    size_t pixels = kernels_convolution_output_height(c) * image.output_width;
    size_t steps = c.channels / c.groups * c.kernel_height * c.kernel_width;
    for (size_t i = 0; i < c.batch; i++) {
        for (size_t g = 0; g < c.groups; g++) {
            size_t first = g * (c.channels / c.groups), outputs = c.outputs / c.groups;
            struct kernels_ring64_product product = product_of(
                c, input + (i * c.channels + first) * c.height * c.width, weights + g * outputs * steps, accumulates,
                output + (i * c.outputs + g * outputs) * pixels);
            CHOSEN(instructions, ring64_multiply, &product, &image, workspace);
        }
    }
}
