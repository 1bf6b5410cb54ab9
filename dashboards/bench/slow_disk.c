/* Lets every sync of a process take longer: a disk of another speed, for both sides of a comparison.
 *
 * Loaded with LD_PRELOAD. BENCH_SYNC_US is what each sync waits after the real one returned.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <time.h>

static int late(int result) {
    const char *given = getenv("BENCH_SYNC_US");
    long us = given ? atol(given) : 0;
    struct timespec left = {us / 1000000, us % 1000000 * 1000};
    int seen = errno;
    while (nanosleep(&left, &left) && errno == EINTR) {}
    errno = seen;
    return result;
}

int fsync(int fd) {
    static int (*real)(int);
    if (!real) real = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
    return late(real(fd));
}

int fdatasync(int fd) {
    static int (*real)(int);
    if (!real) real = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
    return late(real(fd));
}
