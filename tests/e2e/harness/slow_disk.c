/* Loaded before the C library (LD_PRELOAD): what reads, writes, opens, renames or removes a file beneath the
 * directory SLOW_DISK takes 100 ms longer, as on a disk that is ill, and does not end while the file
 * SLOW_DISK_STANDS is there. What the kernel has in memory it still reads without waiting (preadv2 with RWF_NOWAIT
 * is no call of the C library here). */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static int is_slow(const char *path) {
    const char *root = getenv("SLOW_DISK");
    return root && !strncmp(path, root, strlen(root));
}

static void wait_for_path(const char *path) {
    const struct timespec pause = {.tv_nsec = 100 * 1000 * 1000};
    if (!is_slow(path)) return;
    do nanosleep(&pause, NULL);
    while (!access(getenv("SLOW_DISK_STANDS"), F_OK));
}

static void wait_for_file(int file) {
    struct stat status;
    char link[64], path[4096];
    if (fstat(file, &status) || !S_ISREG(status.st_mode)) return;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return;
    path[length] = 0;
    wait_for_path(path);
}

#define NEXT(name) ((__typeof__(name) *)dlsym(RTLD_NEXT, #name))

ssize_t pread64(int file, void *into, size_t length, off64_t at) {
    wait_for_file(file);
    return NEXT(pread64)(file, into, length, at);
}

ssize_t write(int file, const void *from, size_t length) {
    wait_for_file(file);
    return NEXT(write)(file, from, length);
}

int open64(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    mode_t mode = va_arg(rest, mode_t);
    va_end(rest);
    wait_for_path(path);
    return NEXT(open64)(path, flags, mode);
}

int rename(const char *from, const char *to) {
    wait_for_path(to);
    return NEXT(rename)(from, to);
}

int unlink(const char *path) {
    wait_for_path(path);
    return NEXT(unlink)(path);
}
