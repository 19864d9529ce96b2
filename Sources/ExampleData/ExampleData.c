#include "ExampleData.h"

// Of C23, and in all dialects of the compilers that have it.
#pragma clang diagnostic ignored "-Wc23-extensions"

static const unsigned char table[] = {
#embed "../../Examples/randhie/randhie.csv.gz"
};

static const unsigned char manifest[] = {
#embed "../../Examples/randhie/manifest.yaml"
};

static const unsigned char plans[] = {
#embed "../../Examples/randhie/plans.csv"
};

static const unsigned char plans_manifest[] = {
#embed "../../Examples/randhie/plans.yaml"
};

static const struct {
    const char *name;
    const unsigned char *bytes;
    size_t size;
} files[] = {
    {"randhie.csv.gz", table, sizeof table},
    {"manifest.yaml", manifest, sizeof manifest},
    {"plans.csv", plans, sizeof plans},
    {"plans.yaml", plans_manifest, sizeof plans_manifest},
};

const unsigned char *example_data_file(int index, const char **name, size_t *size) {
    if (index < 0 || (size_t)index >= sizeof files / sizeof files[0]) return NULL;
    *name = files[index].name;
    *size = files[index].size;
    return files[index].bytes;
}
