#pragma once

#include <stddef.h>

/// The demonstration's files, which the program carries, so that it runs from any folder.
///
/// @return The bytes of file `index`, with its name and size; NULL behind the last.
const unsigned char *_Nullable example_data_file(
    int index, const char *_Nullable *_Nonnull name, size_t *_Nonnull size);
