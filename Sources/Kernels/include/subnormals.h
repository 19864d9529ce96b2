#pragma once

#include <stdint.h>

/// From here on this thread computes with zero in the place of subnormal numbers, where the processor can: these take it up to a hundred times as long, so that
/// how long a computation takes would tell of its operands.
///
/// Gives what `kernels_restore_subnormals` takes.
uint64_t kernels_flush_subnormals(void);

/// As it was before.
void kernels_restore_subnormals(uint64_t before);
