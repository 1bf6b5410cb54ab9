/* Records what a process writes below one folder, in the order in which it happened.
 *
 * Loaded with LD_PRELOAD. FAULTS_BELOW names the folder, FAULTS_LOG the file of records. Each
 * wrapped call is recorded after it returned and before its caller goes on, under one mutex: a
 * sync is in the log before any acknowledgement that waited for it. One record, little endian:
 *
 *     u8 op, u16 length of name, u64 offset, u64 length of data, name, data
 *
 * The name is the path below the folder. ops: c create, t truncate (offset is the length), w write,
 * s sync of a file or folder, e a sync that failed, u unlink, r rename (data is the new name),
 * a acknowledgement (a write to a file whose name ends in ".acks").
 * With FAULTS_SYNC_FAILS each so many syncs of a file one is not done, from a workload's first
 * acknowledgement on: it returns EIO, or says that all is well where FAULTS_SYNC_LIES is set.
 * Not wrapped, since nothing here uses them for what must last: mmap stores, fallocate,
 * copy_file_range, sendfile, O_DSYNC, sync_file_range.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;
static int log_fd = -1;
static char below[PATH_MAX];
static size_t below_length;
static long fails_every, synced;
static int lies, has_acked;

#define REAL(type, name, ...) \
    static type (*real)(__VA_ARGS__); \
    if (!real) real = (type(*)(__VA_ARGS__))dlsym(RTLD_NEXT, #name)

__attribute__((constructor)) static void begin(void) {
    const char *log = getenv("FAULTS_LOG"), *folder = getenv("FAULTS_BELOW");
    if (!log || !folder || !realpath(folder, below)) return;
    below_length = strlen(below);
    const char *every = getenv("FAULTS_SYNC_FAILS");
    fails_every = every ? atol(every) : 0;
    lies = getenv("FAULTS_SYNC_LIES") != NULL;
    REAL(int, open64, const char *, int, ...);
    log_fd = real(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

/* Return the path below the folder, NULL for any other. */
static const char *inside(const char *path) {
    if (log_fd < 0 || strncmp(path, below, below_length) || path[below_length] != '/') return NULL;
    return path + below_length + 1;
}

static const char *name_of(int fd, char *buffer) {
    char link[64];
    if (log_fd < 0 || fd == log_fd) return NULL;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, buffer, PATH_MAX - 1);
    if (length <= 0) return NULL;
    buffer[length] = 0;
    return inside(buffer);
}

/* Return the absolute path of an argument below the folder, NULL for any other. */
static const char *name_at(int folder, const char *path, char *buffer) {
    if (path[0] == '/') return inside(path);
    if (log_fd < 0) return NULL;
    char at[PATH_MAX], link[64];
    if (folder == AT_FDCWD) snprintf(link, sizeof link, "/proc/self/cwd");
    else snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
    ssize_t length = readlink(link, at, PATH_MAX - 1);
    if (length <= 0) return NULL;
    at[length] = 0;
    if (snprintf(buffer, PATH_MAX, "%s/%s", at, path) >= PATH_MAX) return NULL;
    return inside(buffer);
}

static void record(char op, const char *name, uint64_t offset, const void *data, uint64_t length) {
    REAL(ssize_t, writev, int, const struct iovec *, int);
    unsigned char head[19];
    uint16_t name_length = (uint16_t)strlen(name);
    head[0] = (unsigned char)op;
    memcpy(head + 1, &name_length, 2);
    memcpy(head + 3, &offset, 8);
    memcpy(head + 11, &length, 8);
    struct iovec parts[3] = {{head, 19}, {(void *)name, name_length}, {(void *)data, length}};
    ssize_t whole = 19 + name_length + (ssize_t)length;
    if (real(log_fd, parts, 3) != whole) {
        static const char said[] = "power_shim: the log of writes could not be written\n";
        REAL(ssize_t, write, int, const void *, size_t);
        real(2, said, sizeof said - 1);
        _exit(97);  /* an incomplete log would make every trial pass or fail for nothing */
    }
}

static int is_acks(const char *name) {
    size_t tail = strlen(name);
    return tail > 5 && !strcmp(name + tail - 5, ".acks");
}

static void wrote(int fd, uint64_t offset, const void *data, ssize_t length) {
    char buffer[PATH_MAX];
    const char *name = length > 0 ? name_of(fd, buffer) : NULL;
    if (!name) return;
    int is_ack = is_acks(name);
    has_acked |= is_ack;
    record(is_ack ? 'a' : 'w', name, offset, data, (uint64_t)length);
}

/* Run a call and its record as one step; a record must not change the caller's errno. */
#define ONE_STEP(type, call, after) \
    pthread_mutex_lock(&turn); \
    type result = call; \
    int kept = errno; \
    after; \
    errno = kept; \
    pthread_mutex_unlock(&turn); \
    return result

ssize_t write(int fd, const void *data, size_t length) {
    REAL(ssize_t, write, int, const void *, size_t);
    char buffer[PATH_MAX];
    if (!name_of(fd, buffer)) return real(fd, data, length);
    /* the position after the call, less what was written, is right for O_APPEND too */
    ONE_STEP(ssize_t, real(fd, data, length),
             if (result > 0) wrote(fd, (uint64_t)(lseek64(fd, 0, SEEK_CUR) - result), data, result));
}

#define PWRITE(name, off) \
    ssize_t name(int fd, const void *data, size_t length, off offset) { \
        REAL(ssize_t, name, int, const void *, size_t, off); \
        ONE_STEP(ssize_t, real(fd, data, length, offset), wrote(fd, (uint64_t)offset, data, result)); \
    }
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

static void wrote_parts(int fd, uint64_t offset, const struct iovec *parts, int count, ssize_t left) {
    for (int i = 0; i < count && left > 0; i++) {
        ssize_t length = (ssize_t)parts[i].iov_len < left ? (ssize_t)parts[i].iov_len : left;
        wrote(fd, offset, parts[i].iov_base, length);
        offset += (uint64_t)length;
        left -= length;
    }
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
    REAL(ssize_t, writev, int, const struct iovec *, int);
    char buffer[PATH_MAX];
    if (!name_of(fd, buffer)) return real(fd, parts, count);
    ONE_STEP(ssize_t, real(fd, parts, count),
             if (result > 0) wrote_parts(fd, (uint64_t)(lseek64(fd, 0, SEEK_CUR) - result), parts,
                                         count, result));
}

#define PWRITEV(name, off) \
    ssize_t name(int fd, const struct iovec *parts, int count, off offset) { \
        REAL(ssize_t, name, int, const struct iovec *, int, off); \
        ONE_STEP(ssize_t, real(fd, parts, count, offset), \
                 wrote_parts(fd, (uint64_t)offset, parts, count, result)); \
    }
PWRITEV(pwritev, off_t)
PWRITEV(pwritev64, off64_t)

/* Whether this sync is one that fails; a folder's never does. */
static int fails(int fd) {
    struct stat about;
    return fails_every && has_acked && !fstat(fd, &about) && S_ISREG(about.st_mode) &&
           ++synced % fails_every == 0;
}

#define SYNC(name) \
    int name(int fd) { \
        REAL(int, name, int); \
        char buffer[PATH_MAX]; \
        const char *where = name_of(fd, buffer); \
        if (!where) return real(fd); \
        pthread_mutex_lock(&turn); \
        int is_failed = fails(fd), result = is_failed ? lies - 1 : real(fd); \
        int kept = is_failed ? EIO : errno; \
        if (is_failed || result == 0) record(is_failed ? 'e' : 's', where, 0, "", 0); \
        errno = kept; \
        pthread_mutex_unlock(&turn); \
        return result; \
    }
SYNC(fsync)
SYNC(fdatasync)

#define TRUNCATE(name, off) \
    int name(int fd, off length) { \
        REAL(int, name, int, off); \
        char buffer[PATH_MAX]; \
        const char *where = name_of(fd, buffer); \
        if (!where) return real(fd, length); \
        ONE_STEP(int, real(fd, length), \
                 if (result == 0) record('t', where, (uint64_t)length, "", 0)); \
    }
TRUNCATE(ftruncate, off_t)
TRUNCATE(ftruncate64, off64_t)

int unlink(const char *path) {
    REAL(int, unlink, const char *);
    char buffer[PATH_MAX];
    const char *name = name_at(AT_FDCWD, path, buffer);
    if (!name) return real(path);
    ONE_STEP(int, real(path), if (result == 0) record('u', name, 0, "", 0));
}

int unlinkat(int folder, const char *path, int flags) {
    REAL(int, unlinkat, int, const char *, int);
    char buffer[PATH_MAX];
    const char *name = flags & AT_REMOVEDIR ? NULL : name_at(folder, path, buffer);
    if (!name) return real(folder, path, flags);
    ONE_STEP(int, real(folder, path, flags), if (result == 0) record('u', name, 0, "", 0));
}

int rename(const char *from, const char *to) {
    REAL(int, rename, const char *, const char *);
    char first[PATH_MAX], second[PATH_MAX];
    const char *old = name_at(AT_FDCWD, from, first), *fresh = name_at(AT_FDCWD, to, second);
    if (!old || !fresh) return real(from, to);
    ONE_STEP(int, real(from, to), if (result == 0) record('r', old, 0, fresh, strlen(fresh)));
}

static int opened(int fd, const char *name, int flags, int existed) {
    int kept = errno;
    if (fd >= 0 && !existed) {
        if (is_acks(name)) has_acked = 0;  /* the next workload begins on a disk that is well */
        record('c', name, 0, "", 0);
    }
    else if (fd >= 0 && flags & O_TRUNC) record('t', name, 0, "", 0);
    errno = kept;
    return fd;
}

#define OPEN(symbol, folder, first, ...) \
    int symbol(first const char *path, int flags, ...) { \
        REAL(int, symbol, __VA_ARGS__); \
        mode_t mode = 0; \
        if (flags & (O_CREAT | O_TMPFILE)) { \
            va_list rest; \
            va_start(rest, flags); \
            mode = va_arg(rest, mode_t); \
            va_end(rest); \
        } \
        char buffer[PATH_MAX]; \
        const char *name = flags & (O_CREAT | O_TRUNC) ? name_at(folder, path, buffer) : NULL; \
        if (!name) return CALL_##symbol; \
        pthread_mutex_lock(&turn); \
        int existed = !faccessat(folder, path, F_OK, 0); \
        int fd = opened(CALL_##symbol, name, flags, existed); \
        pthread_mutex_unlock(&turn); \
        return fd; \
    }
#define AT int folder,
#define NO_AT
#define CALL_open real(path, flags, mode)
#define CALL_open64 real(path, flags, mode)
#define CALL_openat real(folder, path, flags, mode)
#define CALL_openat64 real(folder, path, flags, mode)
OPEN(open, AT_FDCWD, NO_AT, const char *, int, ...)
OPEN(open64, AT_FDCWD, NO_AT, const char *, int, ...)
OPEN(openat, folder, AT, int, const char *, int, ...)
OPEN(openat64, folder, AT, int, const char *, int, ...)
