/* A disk and a clock that misbehave as told, for processes that are started with this library preloaded.
 *
 * UNRELIABLE_FOLDER: whenever a file below it is synced, it is also copied to FILE.durable: what a power cut leaves.
 * UNRELIABLE_CONTROL: a file of two doubles in seconds: how much longer a sync takes, and how far the clock is ahead.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const double none[2] = {0.0, 0.0};
static const volatile double *control = none;

__attribute__((constructor)) static void open_control(void) {
    const char *path = getenv("UNRELIABLE_CONTROL");
    int descriptor = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (descriptor < 0) return;
    void *shared = mmap(NULL, sizeof none, PROT_READ, MAP_SHARED, descriptor, 0);
    if (shared != MAP_FAILED) control = shared;
    close(descriptor);
}

static void *original(const char *name) { return dlsym(RTLD_NEXT, name); }

static int is_watched(const char *path) {
    const char *folder = getenv("UNRELIABLE_FOLDER");
    return folder && !strncmp(path, folder, strlen(folder)) && path[strlen(folder)] == '/';
}

static void copy(const char *from, const char *to) {
    char block[65536];
    ssize_t count;
    int source = open(from, O_RDONLY | O_CLOEXEC), target = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    while (source >= 0 && target >= 0 && (count = read(source, block, sizeof block)) > 0)
        if (write(target, block, count) != count) abort();
    if (source >= 0) close(source);
    if (target >= 0) close(target);
}

static void keep(int descriptor) {
    char link[64], path[1024], part[1100], durable[1100];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length <= 0) return;
    path[length] = 0;
    if (!is_watched(path)) return;
    snprintf(durable, sizeof durable, "%s.durable", path);
    snprintf(part, sizeof part, "%s.durable-part", path);
    copy(path, part);
    rename(part, durable);
}

static int sync_with(const char *name, int descriptor) {
    int (*sync)(int) = (int (*)(int))original(name);
    struct timespec pause = {(time_t)control[0], (long)((control[0] - (time_t)control[0]) * 1e9)};
    while (nanosleep(&pause, &pause) && errno == EINTR) {}
    int result = sync(descriptor);
    int error = errno;
    if (!result) keep(descriptor);
    errno = error;
    return result;
}

int fsync(int descriptor) { return sync_with("fsync", descriptor); }
int fdatasync(int descriptor) { return sync_with("fdatasync", descriptor); }

int rename(const char *from, const char *to) {
    int (*move)(const char *, const char *) = (int (*)(const char *, const char *))original("rename");
    int result = move(from, to), error = errno;
    if (!result && is_watched(from) && !strstr(from, ".durable")) {
        char before[1100], after[1100];
        snprintf(before, sizeof before, "%s.durable", from);
        snprintf(after, sizeof after, "%s.durable", to);
        move(before, after);
    }
    errno = error;
    return result;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    int result = (int)syscall(SYS_clock_gettime, clock, now);
    if (!result && clock == CLOCK_REALTIME) now->tv_sec += (time_t)control[1];
    return result;
}

time_t time(time_t *into) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (into) *into = now.tv_sec;
    return now.tv_sec;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    struct timespec exact;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &exact);
    now->tv_sec = exact.tv_sec;
    now->tv_usec = exact.tv_nsec / 1000;
    return 0;
}
