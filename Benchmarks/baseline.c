// The plain C loops that the benchmarks are compared with: parley-bench compiles this file with cc when it runs.
// Prints the seconds of the wall clock and of the processor.
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static double seconds(clockid_t clock) {
    struct timespec time;
    clock_gettime(clock, &time);
    return time.tv_sec + time.tv_nsec * 1e-9;
}

// Reads a file and adds up its words.
static uint64_t sum(const char *path) {
    static uint64_t buffer[1 << 17];
    uint64_t total = 0;
    int file = open(path, O_RDONLY);
    if (file < 0) exit(2);
    ssize_t count;
    while ((count = read(file, buffer, sizeof buffer)) > 0)
        for (ssize_t i = 0; i < count / 8; i++) total += buffer[i];
    return total;
}

// Fills that many bytes from the system's randomness.
static uint64_t fill(size_t count) {
    static uint8_t buffer[1 << 16];
    uint64_t total = 0;
    while (count > 0) {
        size_t part = count < sizeof buffer ? count : sizeof buffer;
        if (getrandom(buffer, part, 0) != (ssize_t)part) exit(2);
        total += buffer[0];
        count -= part;
    }
    return total;
}

static const void *map(const char *path, size_t *bytes) {
    struct stat status;
    int file = open(path, O_RDONLY);
    if (file < 0 || fstat(file, &status) != 0) exit(2);
    *bytes = (size_t)status.st_size;
    const void *memory = mmap(NULL, *bytes, PROT_READ, MAP_PRIVATE | MAP_POPULATE, file, 0);
    if (memory == MAP_FAILED) exit(2);
    return memory;
}

// Counts and sums by group: codes of two bytes, values of eight.
static uint64_t group(const uint16_t *groups, const double *values, size_t rows) {
    static uint64_t counts[1 << 16];
    static double sums[1 << 16];
    for (size_t i = 0; i < rows; i++) {
        counts[groups[i]]++;
        sums[groups[i]] += values[i];
    }
    return counts[0] + (uint64_t)sums[0];
}

int main(int count, char **arguments) {
    if (count < 3) return 2;
    const uint16_t *groups = NULL;
    const double *values = NULL;
    size_t bytes = 0;
    if (strcmp(arguments[1], "group") == 0) {
        if (count < 4) return 2;
        values = map(arguments[3], &bytes);
        groups = map(arguments[2], &bytes);
    }
    double wall = seconds(CLOCK_MONOTONIC), cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
    uint64_t total = 0;
    if (strcmp(arguments[1], "sum") == 0) total = sum(arguments[2]);
    if (strcmp(arguments[1], "fill") == 0) total = fill(strtoull(arguments[2], NULL, 10));
    if (groups) total = group(groups, values, bytes / 2);
    cpu = seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    wall = seconds(CLOCK_MONOTONIC) - wall;
    // The total is printed so that the loop is not left out.
    printf("%.9f %.9f %llu\n", wall, cpu, (unsigned long long)total);
    return 0;
}
