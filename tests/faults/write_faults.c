/* Preloaded into a process, it lets one chosen write of the process fail.
 *
 * Write points are calls that change a file below a watched folder, or that send to a watched TCP
 * port. They are counted in memory that the process shares with its children, so that one point
 * of a whole family of processes can be chosen, and the fault happens once.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum kind { COUNT, KILL, TORN, EIO_ONCE, ENOSPC_ONCE, FULL, RESET_ONCE };
struct state { long count, fatal; int kind, port, fired; char folder[PATH_MAX], label[PATH_MAX]; };

static struct state *shared;

#define REAL(name) ({ static __typeof__(&name) real; if (!real) real = dlsym(RTLD_NEXT, #name); real; })

/* The state lies in the file that DRMN_FAULT_STATE names; only processes whose command line holds
 * DRMN_FAULT_ROLE take part. */
__attribute__((constructor)) static void join_in(void) {
    const char *path = getenv("DRMN_FAULT_STATE"), *role = getenv("DRMN_FAULT_ROLE");
    if (!path) return;
    if (role && *role) {
        static char line[65536];
        int file = syscall(SYS_openat, AT_FDCWD, "/proc/self/cmdline", O_RDONLY);
        long size = syscall(SYS_read, file, line, sizeof line - 1);
        syscall(SYS_close, file);
        for (long i = 0; i < size; i++) if (!line[i]) line[i] = ' ';
        if (!strstr(line, role)) return;
    }
    int file = syscall(SYS_openat, AT_FDCWD, path, O_RDWR);
    if (file < 0) return;
    void *found = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    syscall(SYS_close, file);
    if (found != MAP_FAILED) shared = found;
}

static int below(const char *path) {
    return shared && *shared->folder && !strncmp(path, shared->folder, strlen(shared->folder));
}

static int named(int folder, const char *path, char *found) {
    char base[PATH_MAX] = "";
    if (!shared || !path) return 0;
    if (*path != '/') {
        if (folder == AT_FDCWD) { if (!getcwd(base, sizeof base)) return 0; }
        else {
            char link[64];
            snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
            long size = readlink(link, base, sizeof base - 1);
            if (size < 0) return 0;
            base[size] = 0;
        }
        strncat(base, "/", sizeof base - strlen(base) - 1);
    }
    snprintf(found, PATH_MAX, "%s%s", base, path);
    return below(found);
}

static int opened(int file, char *found) {
    char link[64];
    if (!shared) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    long size = readlink(link, found, PATH_MAX - 1);
    if (size < 0) return 0;
    found[size] = 0;
    return below(found);
}

static int connected(int file) {
    struct sockaddr_storage peer;
    socklen_t size = sizeof peer;
    if (!shared || !shared->port || getpeername(file, (struct sockaddr *)&peer, &size)) return 0;
    if (peer.ss_family == AF_INET) return ntohs(((struct sockaddr_in *)&peer)->sin_port) == shared->port;
    if (peer.ss_family == AF_INET6) return ntohs(((struct sockaddr_in6 *)&peer)->sin6_port) == shared->port;
    return 0;
}

static int exists(int folder, const char *name) {
    return syscall(SYS_newfstatat, folder, name, &(struct stat){0}, AT_SYMLINK_NOFOLLOW) == 0;
}

static void die(void) {
    syscall(SYS_kill, getpid(), SIGKILL);
    for (;;) pause();
}

/* What is to happen at this call: 0 nothing, -1 half of it and then death or, on a full disk, no
 * more; else the error to give. `grows` says whether the call needs room on a disk. */
static int verdict(const char *call, const char *path, int grows, int has_bytes) {
    long number = __atomic_add_fetch(&shared->count, 1, __ATOMIC_SEQ_CST);
    if (shared->kind == COUNT || number < shared->fatal) {
        if (shared->kind == COUNT && number == shared->fatal)
            snprintf(shared->label, sizeof shared->label, "%s %s", call, path);
        return 0;
    }
    if (shared->kind == FULL && number > shared->fatal) return grows ? ENOSPC : 0;
    if (number != shared->fatal) return 0;
    snprintf(shared->label, sizeof shared->label, "%s %s", call, path);
    int is_sent = !strcmp(call, "send");
    switch (shared->kind) {
        case ENOSPC_ONCE: case FULL: if (!grows) return 0; break;
        case RESET_ONCE: if (!is_sent) return 0; break;
        case EIO_ONCE: if (is_sent) return 0; break;
    }
    shared->fired = 1;
    switch (shared->kind) {
        case KILL: die();
        case TORN: if (has_bytes) return -1; die();
        case EIO_ONCE: return EIO;
        case RESET_ONCE: return ECONNRESET;
        case ENOSPC_ONCE: return ENOSPC;
    }
    return has_bytes ? -1 : ENOSPC;
}

static long halved(long written) {
    if (shared->kind == TORN) die();
    return written;
}

#define FAIL(result) do { errno = found_error; return result; } while (0)

#define ON_FILE(call, grows, size, half, whole)                                     \
    char path[PATH_MAX];                                                            \
    if (!opened(file, path)) return whole;                                          \
    int found_error = verdict(call, path, grows, (size) > 1);                       \
    if (found_error < 0) return halved(half);                                       \
    if (found_error) FAIL(-1);                                                      \
    return whole

/* A call that changes nothing, since the name is taken or missing already, is no write point. */
#define ON_PATH(call, folder, name, is_taken, grows, whole)                         \
    char path[PATH_MAX];                                                            \
    if (!named(folder, name, path) || exists(folder, name) != is_taken) return whole; \
    int found_error = verdict(call, path, grows, 0);                                \
    if (found_error) FAIL(-1);                                                      \
    return whole

#define ON_RENAME(folder, name, whole)                                              \
    char path[PATH_MAX];                                                            \
    if (!named(folder, name, path)) return whole;                                   \
    int found_error = verdict("rename", path, 0, 0);                                \
    if (found_error) FAIL(-1);                                                      \
    return whole

static long sent(const char *call, int file, long size, long (*send_part)(int, const void *, long, int),
                 const void *data, int flags) {
    char label[64];
    snprintf(label, sizeof label, "port %d", shared->port);
    int found_error = verdict(call, label, 0, size > 1);
    if (found_error < 0) return halved(send_part(file, data, size / 2, flags));
    if (found_error) { shutdown(file, SHUT_RDWR); FAIL(-1); }  /* no answer comes either */
    return send_part(file, data, size, flags);
}

static long send_raw(int file, const void *data, long size, int flags) {
    return syscall(SYS_sendto, file, data, size, flags, NULL, 0);
}

ssize_t write(int file, const void *data, size_t size) {
    if (connected(file)) return sent("send", file, size, send_raw, data, MSG_NOSIGNAL);
    ON_FILE("write", 1, size, REAL(write)(file, data, size / 2), REAL(write)(file, data, size));
}

ssize_t send(int file, const void *data, size_t size, int flags) {
    if (connected(file)) return sent("send", file, size, send_raw, data, flags | MSG_NOSIGNAL);
    return REAL(send)(file, data, size, flags);
}

ssize_t pwrite64(int file, const void *data, size_t size, off64_t at) {
    ON_FILE("pwrite", 1, size, REAL(pwrite64)(file, data, size / 2, at), REAL(pwrite64)(file, data, size, at));
}
ssize_t pwrite(int file, const void *data, size_t size, off_t at) { return pwrite64(file, data, size, at); }

ssize_t writev(int file, const struct iovec *parts, int num) {
    ON_FILE("writev", 1, parts[0].iov_len, REAL(write)(file, parts[0].iov_base, parts[0].iov_len / 2),
            REAL(writev)(file, parts, num));
}

ssize_t sendfile64(int file, int source, off64_t *at, size_t size) {
    ON_FILE("sendfile", 1, 0, 0, REAL(sendfile64)(file, source, at, size));
}
ssize_t sendfile(int file, int source, off_t *at, size_t size) { return sendfile64(file, source, at, size); }
ssize_t copy_file_range(int source, off64_t *from, int file, off64_t *to, size_t size, unsigned flags) {
    ON_FILE("copy", 1, 0, 0, REAL(copy_file_range)(source, from, file, to, size, flags));
}

int fsync(int file) { ON_FILE("fsync", 0, 0, 0, REAL(fsync)(file)); }
int fdatasync(int file) { ON_FILE("fdatasync", 0, 0, 0, REAL(fdatasync)(file)); }
int ftruncate64(int file, off64_t size) { ON_FILE("truncate", 0, 0, 0, REAL(ftruncate64)(file, size)); }
int ftruncate(int file, off_t size) { return ftruncate64(file, size); }

int truncate64(const char *name, off64_t size) { ON_PATH("truncate", AT_FDCWD, name, 1, 0, REAL(truncate64)(name, size)); }
int truncate(const char *name, off_t size) { return truncate64(name, size); }
int rename(const char *old, const char *new) { ON_RENAME(AT_FDCWD, new, REAL(rename)(old, new)); }
int renameat(int from, const char *old, int to, const char *new) {
    ON_RENAME(to, new, REAL(renameat)(from, old, to, new));
}
int link(const char *old, const char *new) { ON_PATH("link", AT_FDCWD, new, 0, 1, REAL(link)(old, new)); }
int linkat(int from, const char *old, int to, const char *new, int flags) {
    ON_PATH("link", to, new, 0, 1, REAL(linkat)(from, old, to, new, flags));
}
int symlink(const char *old, const char *new) { ON_PATH("symlink", AT_FDCWD, new, 0, 1, REAL(symlink)(old, new)); }
int symlinkat(const char *old, int to, const char *new) { ON_PATH("symlink", to, new, 0, 1, REAL(symlinkat)(old, to, new)); }
int unlink(const char *name) { ON_PATH("unlink", AT_FDCWD, name, 1, 0, REAL(unlink)(name)); }
int unlinkat(int folder, const char *name, int flags) { ON_PATH("unlink", folder, name, 1, 0, REAL(unlinkat)(folder, name, flags)); }
int rmdir(const char *name) { ON_PATH("rmdir", AT_FDCWD, name, 1, 0, REAL(rmdir)(name)); }
int mkdir(const char *name, mode_t mode) { ON_PATH("mkdir", AT_FDCWD, name, 0, 1, REAL(mkdir)(name, mode)); }
int mkdirat(int folder, const char *name, mode_t mode) { ON_PATH("mkdir", folder, name, 0, 1, REAL(mkdirat)(folder, name, mode)); }

static int is_new_or_cut(int folder, const char *name, int flags) {
    if (flags & O_TRUNC) return 1;
    return (flags & O_CREAT) && !exists(folder, name);
}

int openat64(int folder, const char *name, int flags, ...) {
    mode_t mode = 0;
    if (flags & (O_CREAT | __O_TMPFILE)) {
        va_list rest;
        va_start(rest, flags);
        mode = va_arg(rest, mode_t);
        va_end(rest);
    }
    char path[PATH_MAX];
    if ((flags & (O_CREAT | O_TRUNC)) && named(folder, name, path) && is_new_or_cut(folder, name, flags)) {
        int found_error = verdict("open", path, 1, 0);
        if (found_error) FAIL(-1);
    }
    return REAL(openat64)(folder, name, flags, mode);
}
#define OPEN(name)                                          \
    int name(const char *path, int flags, ...) {            \
        va_list rest;                                       \
        va_start(rest, flags);                              \
        mode_t mode = va_arg(rest, mode_t);                 \
        va_end(rest);                                       \
        return openat64(AT_FDCWD, path, flags, mode);       \
    }
OPEN(open64)
OPEN(open)
int openat(int folder, const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    mode_t mode = va_arg(rest, mode_t);
    va_end(rest);
    return openat64(folder, path, flags, mode);
}
