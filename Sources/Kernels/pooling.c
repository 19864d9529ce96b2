#include "convolution.h"

static size_t output_length(size_t length, size_t window, size_t stride, size_t padding) {
    return length + 2 * padding < window ? 0 : (length + 2 * padding - window) / stride + 1;
}

size_t kernels_pooling_output_height(struct kernels_pooling p) {
    return output_length(p.height, p.window_height, p.stride_y, p.padding_y);
}

size_t kernels_pooling_output_width(struct kernels_pooling p) {
    return output_length(p.width, p.window_width, p.stride_x, p.padding_x);
}

/// From `begin` up to `end`: what of the window at one output lies inside.
struct span {
    size_t begin, end;
};

static inline struct span span_of(size_t output, size_t length, size_t window, size_t stride, size_t padding) {
    size_t first = output * stride, end = first + window > padding ? first + window - padding : 0;
    return (struct span){first > padding ? first - padding : 0, end < length ? end : length};
}

void kernels_max_pool_forward(struct kernels_pooling p, const float *input, float *output, int32_t *argument) {
    size_t rows = kernels_pooling_output_height(p), columns = kernels_pooling_output_width(p);
    for (size_t plane = 0; plane < p.planes; plane++, input += p.height * p.width) {
        for (size_t row = 0; row < rows; row++) {
            struct span ys = span_of(row, p.height, p.window_height, p.stride_y, p.padding_y);
            for (size_t column = 0; column < columns; column++) {
                struct span xs = span_of(column, p.width, p.window_width, p.stride_x, p.padding_x);
                size_t where = ys.begin * p.width + xs.begin;
                float most = -__builtin_inff();
                for (size_t y = ys.begin; y < ys.end; y++) {
                    for (size_t x = xs.begin; x < xs.end; x++) {
                        float value = input[y * p.width + x];
                        bool is_more = value > most || (value != value && most == most);
                        most = is_more ? value : most;
                        where = is_more ? y * p.width + x : where;
                    }
                }
                *output++ = most;
                *argument++ = ys.begin < ys.end && xs.begin < xs.end ? (int32_t)where : -1;
            }
        }
    }
}

void kernels_max_pool_backward(
    struct kernels_pooling p, const float *output_gradient, const int32_t *argument, float *input_gradient) {
    size_t pixels = kernels_pooling_output_height(p) * kernels_pooling_output_width(p);
    for (size_t plane = 0; plane < p.planes; plane++, input_gradient += p.height * p.width) {
        for (size_t i = 0; i < p.height * p.width; i++) input_gradient[i] = 0;
        for (size_t i = 0; i < pixels; i++, argument++, output_gradient++) {
            if (*argument >= 0) input_gradient[*argument] += *output_gradient;
        }
    }
}

void kernels_average_pool_forward(struct kernels_pooling p, const float *input, float *output) {
    size_t rows = kernels_pooling_output_height(p), columns = kernels_pooling_output_width(p);
    double share = 1 / ((double)p.window_height * (double)p.window_width);
    for (size_t plane = 0; plane < p.planes; plane++, input += p.height * p.width) {
        for (size_t row = 0; row < rows; row++) {
            struct span ys = span_of(row, p.height, p.window_height, p.stride_y, p.padding_y);
            for (size_t column = 0; column < columns; column++) {
                struct span xs = span_of(column, p.width, p.window_width, p.stride_x, p.padding_x);
                double sum = 0;
                for (size_t y = ys.begin; y < ys.end; y++) {
                    for (size_t x = xs.begin; x < xs.end; x++) sum += input[y * p.width + x];
                }
                *output++ = (float)(sum * share);
            }
        }
    }
}

void kernels_average_pool_backward(struct kernels_pooling p, const float *output_gradient, float *input_gradient) {
    size_t rows = kernels_pooling_output_height(p), columns = kernels_pooling_output_width(p);
    float share = (float)(1 / ((double)p.window_height * (double)p.window_width));
    for (size_t plane = 0; plane < p.planes; plane++, input_gradient += p.height * p.width) {
        for (size_t i = 0; i < p.height * p.width; i++) input_gradient[i] = 0;
        for (size_t row = 0; row < rows; row++) {
            struct span ys = span_of(row, p.height, p.window_height, p.stride_y, p.padding_y);
            for (size_t column = 0; column < columns; column++) {
                struct span xs = span_of(column, p.width, p.window_width, p.stride_x, p.padding_x);
                float gradient = *output_gradient++ * share;
                for (size_t y = ys.begin; y < ys.end; y++) {
                    for (size_t x = xs.begin; x < xs.end; x++) input_gradient[y * p.width + x] += gradient;
                }
            }
        }
    }
}
