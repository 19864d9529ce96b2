#pragma once

#include "kernels.h"

/// A convolution in two dimensions as PyTorch has it: images N C H W, weights O (C / groups) KH KW, dilation 1, all contiguous. The output is
/// N O OH OW, where OH = (H + 2 padding_y - KH) / stride_y + 1, rounded down (0 where the kernel is larger than the padded image), and so is OW.
struct kernels_convolution {
    /// N, the images.
    size_t batch;
    /// C: a multiple of `groups`.
    size_t channels;
    /// H.
    size_t height;
    /// W.
    size_t width;
    /// O: a multiple of `groups`.
    size_t outputs;
    /// KH, at least 1.
    size_t kernel_height;
    /// KW, at least 1.
    size_t kernel_width;
    /// At least 1.
    size_t stride_y;
    /// At least 1.
    size_t stride_x;
    /// Rows of zeros above and below.
    size_t padding_y;
    /// Columns of zeros left and right.
    size_t padding_x;
    /// At least 1; output o sees the channels of group o / (O / groups).
    size_t groups;
};

/// OH.
size_t kernels_convolution_output_height(struct kernels_convolution convolution);

/// OW.
size_t kernels_convolution_output_width(struct kernels_convolution convolution);

/// How many floats of workspace the three functions below need at most.
size_t kernels_convolution_workspace(struct kernels_convolution convolution, enum kernels_instructions instructions);

/// Writes the output. An image's output depends on that image, the weights, its own shape and the instructions alone, not on the batch. `bias` is null or
/// holds O numbers.
void kernels_convolution_forward(
    struct kernels_convolution convolution, const float *input, const float *weights, const float *bias, float *output,
    float *workspace, enum kernels_instructions instructions);

/// Writes the gradient of the input, given that of the output. An image's depends on that image alone, as above.
void kernels_convolution_input_gradient(
    struct kernels_convolution convolution, const float *output_gradient, const float *weights, float *input_gradient,
    float *workspace, enum kernels_instructions instructions);

/// The gradient of the weights, summed over the images, each multiplied by its number in `scale` (null: by 1). It is added to `weights_gradient` where
/// `accumulates`, which is otherwise not read. A batch of one image gives that image's gradient.
void kernels_convolution_weight_gradient(
    struct kernels_convolution convolution, const float *input, const float *output_gradient, const float *scale, bool accumulates,
    float *weights_gradient, float *workspace, enum kernels_instructions instructions);

/// Unfolds one group's channels of one image: a row for each (channel, ky, kx) in that order, a column for each output pixel. `input` is the first of
/// those channels, `target` holds (C / groups) KH KW rows of OH OW numbers. (`batch` is not looked at.)
void kernels_im2col(struct kernels_convolution convolution, const float *input, float *target);

/// Pooling of planes of H W, contiguous, as PyTorch has it. The output's planes have (H + 2 padding_y - window_height) / stride_y + 1 rows, rounded down, and columns
/// likewise. (PyTorch refuses a padding of more than half of its window; here a window may lie in the padding alone.)
struct kernels_pooling {
    /// How many planes: images times channels.
    size_t planes;
    /// H.
    size_t height;
    /// W.
    size_t width;
    /// At least 1.
    size_t window_height;
    /// At least 1.
    size_t window_width;
    /// At least 1.
    size_t stride_y;
    /// At least 1.
    size_t stride_x;
    /// Rows above and below: of minus infinity for the maximum, of zeros for the average.
    size_t padding_y;
    /// Columns left and right.
    size_t padding_x;
};

/// Rows of the output's planes.
size_t kernels_pooling_output_height(struct kernels_pooling pooling);

/// Columns of the output's planes.
size_t kernels_pooling_output_width(struct kernels_pooling pooling);

/// The largest number in each window, and where in its plane it lies (row times width plus column), the first of equals. A NaN is larger than any number. A window
/// in the padding alone gives minus infinity and -1.
void kernels_max_pool_forward(struct kernels_pooling pooling, const float *input, float *output, int32_t *argument);

/// Writes the gradient of the input, given that of the output and what the forward pass wrote to `argument`.
void kernels_max_pool_backward(
    struct kernels_pooling pooling, const float *output_gradient, const int32_t *argument, float *input_gradient);

/// The sum of each window divided by its area. (What lies in the padding counts as zeros: PyTorch's `count_include_pad`.)
void kernels_average_pool_forward(struct kernels_pooling pooling, const float *input, float *output);

/// Writes the gradient of the input, given that of the output.
void kernels_average_pool_backward(struct kernels_pooling pooling, const float *output_gradient, float *input_gradient);
