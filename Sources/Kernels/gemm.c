#include "products.h"

#define TEXT "gemm_text.h"
#include "paths.h"

size_t kernels_gemm_workspace(struct kernels_product product, enum kernels_instructions instructions) {
    return CHOSEN(instructions, workspace, &product);
}

void kernels_gemm(struct kernels_product product, float *workspace, enum kernels_instructions instructions) {
    if (product.k == 0 && !product.accumulates) {
        for (size_t i = 0; i < product.m; i++) {
            for (size_t j = 0; j < product.n; j++) product.c[i * product.ldc + j] = 0;
        }
    }
    CHOSEN(instructions, gemm, &product, workspace);
}
