/* Log the operations that change files below a folder, and disturb a chosen one of them.
 *
 * Preloaded (LD_PRELOAD) into the processes of a drill. Where DRILL_CONTROL names a control file, or after
 * `drill_attach`, each operation below the control's root is logged in the order in which it was done, over all
 * processes: they take turns by a lock in the control file. The operation that the control chooses is disturbed:
 *
 *   KILL   the process is ended by a signal instead
 *   HALF   half of a write is done, then the process is ended
 *   FAIL   the operation returns an error, once or from then on
 *   HOLD   it waits, and with it everything that changes files, until the harness has done what it wants
 *
 * A line of the log has nine fields, separated by tabs:
 *   number, process, role, operation, errno (0 if it was done), inode, length or offset + length, path, second path
 * Paths are relative to the root. With a folder of shadows, what a flush makes durable is copied there by the number.
 *
 * Not seen: writes through memory maps (only the map is), writes of stdio streams, direct system calls. A power cut is
 * refused where the log does not account for the files that are there (`measurements.drill.power`).
 *
 * Longer than 300 lines, as one function stands here for each of libc's: one file compiles by one command.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <regex.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum action { NOTHING, KILL, HALF, FAIL_ONCE, FAIL_ON, HOLD };

/* `measurements.drill.interposer` writes the same layout. */
struct control {
  pthread_mutex_t lock;
  char pad[128 - sizeof(pthread_mutex_t)];
  uint64_t number;    /* operations so far */
  uint64_t countdown; /* chosen operations until the disturbance; 0: none, or it has come */
  uint32_t action, error, signal, hit, released, is_failing;
  char operations[32]; /* letters of the operations that are chosen */
  char failing[32];    /* letters of the operations that fail once FAIL_ON has begun, on any path */
  char role[32];       /* only those of this role; empty: of any */
  char pattern[512];   /* POSIX extended regular expression on the path; empty: any */
  char root[1024], log[1024], shadows[1024];
};

static struct control *control;
static int log_fd = -1;
static regex_t pattern;
static char role[32] = "-";
static size_t root_length;
static __thread int is_inside; /* operations of this library itself */

#define REAL(type, name, ...)                                                  \
  static type (*real_##name)(__VA_ARGS__);                                     \
  if (!real_##name)                                                            \
  real_##name = dlsym(RTLD_NEXT, #name)

/* Takes part in a drill; 0 where the control file cannot be used. */
int drill_attach(const char *path, const char *as) {
  int fd = syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC);
  if (fd < 0)
    return 0;
  void *map = mmap(NULL, sizeof(struct control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  syscall(SYS_close, fd);
  if (map == MAP_FAILED)
    return 0;
  struct control *fresh = map;
  if (log_fd >= 0)
    syscall(SYS_close, log_fd);
  log_fd = syscall(SYS_openat, AT_FDCWD, fresh->log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
  if (log_fd < 0 || (fresh->pattern[0] && regcomp(&pattern, fresh->pattern, REG_EXTENDED | REG_NOSUB)))
    return 0;
  snprintf(role, sizeof role, "%s", as);
  root_length = strlen(fresh->root);
  control = fresh;
  return 1;
}

/* Makes the lock of a new control file. */
int drill_prepare(const char *path) {
  int fd = syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC);
  if (fd < 0)
    return 0;
  struct control *fresh = mmap(NULL, sizeof(struct control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  syscall(SYS_close, fd);
  if (fresh == MAP_FAILED)
    return 0;
  pthread_mutexattr_t robust; /* a process may die with the lock: the next goes on */
  pthread_mutexattr_init(&robust);
  pthread_mutexattr_setpshared(&robust, PTHREAD_PROCESS_SHARED);
  pthread_mutexattr_setrobust(&robust, PTHREAD_MUTEX_ROBUST);
  int failed = pthread_mutex_init(&fresh->lock, &robust);
  munmap(fresh, sizeof(struct control));
  return !failed;
}

int drill_size(void) { return sizeof(struct control); }

__attribute__((constructor)) static void start(void) {
  const char *path = getenv("DRILL_CONTROL"), *as = getenv("DRILL_ROLE");
  if (path && *path && !drill_attach(path, as ? as : "-"))
    fprintf(stderr, "drill: %s is no control file\n", path);
}

/* Writes the absolute path of a name into `out`; 0 where it is not below the root. */
static int below(int folder, const char *name, char *out) {
  if (!control || is_inside || !name)
    return 0;
  if (name[0] == '/') {
    if (strlen(name) >= PATH_MAX)
      return 0;
    strcpy(out, name);
  } else {
    char link[64];
    if (folder == AT_FDCWD)
      strcpy(link, "/proc/self/cwd");
    else
      snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
    ssize_t length = readlink(link, out, PATH_MAX - 2);
    if (length < 0 || length + strlen(name) + 2 > PATH_MAX)
      return 0;
    out[length] = '/';
    strcpy(out + length + 1, name);
  }
  for (size_t last = strlen(out); last > 1 && out[last - 1] == '/'; last--)
    out[last - 1] = 0;
  return !strncmp(out, control->root, root_length) && (out[root_length] == '/' || !out[root_length]);
}

/* Writes the path of an open file into `out`; 0 where it is no file or folder below the root, or has no name. */
static int below_fd(int fd, char *out, struct stat *facts) {
  if (!control || is_inside || fd < 0 || syscall(SYS_newfstatat, fd, "", facts, AT_EMPTY_PATH))
    return 0;
  if (!S_ISREG(facts->st_mode) && !S_ISDIR(facts->st_mode))
    return 0;
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, out, PATH_MAX - 1);
  if (length < 0 || !facts->st_nlink)
    return 0;
  out[length] = 0;
  return !strncmp(out, control->root, root_length) && (out[root_length] == '/' || !out[root_length]);
}

static const char *relative(const char *path) {
  return !path ? "" : path[root_length] ? path + root_length + 1 : ".";
}

static uint64_t inode_of(const char *path) {
  struct stat facts;
  return syscall(SYS_newfstatat, AT_FDCWD, path, &facts, AT_SYMLINK_NOFOLLOW) ? 0 : facts.st_ino;
}

static void note(char operation, int error, uint64_t inode, uint64_t size, const char *path, const char *second) {
  char line[2 * PATH_MAX + 256];
  int length = snprintf(line, sizeof line, "%lu\t%d\t%s\t%c\t%d\t%lu\t%lu\t%s\t%s\n", control->number, getpid(), role,
                        operation, error, inode, size, relative(path), relative(second));
  syscall(SYS_write, log_fd, line, length);
}

enum verdict { GO, REFUSE, HALVE };

/* Begins an operation: takes the lock, counts, and disturbs it where it is the chosen one. */
static enum verdict enter(char operation, const char *path, const char *second) {
  if (pthread_mutex_lock(&control->lock) == EOWNERDEAD)
    pthread_mutex_consistent(&control->lock);
  is_inside = 1;
  control->number++;
  if (control->is_failing) {
    errno = control->error;
    return strchr(control->failing, operation) ? REFUSE : GO;
  }
  int is_chosen = strchr(control->operations, operation) && (!control->role[0] || !strcmp(control->role, role)) &&
                  (!control->pattern[0] || !regexec(&pattern, relative(path), 0, NULL, 0) ||
                   (second && !regexec(&pattern, relative(second), 0, NULL, 0)));
  if (!is_chosen || !control->countdown || --control->countdown)
    return GO;
  control->hit = 1;
  note('!', control->action, inode_of(path), operation, path, second);
  switch (control->action) {
  case KILL:
    kill(getpid(), control->signal);
    if (control->signal == SIGKILL)
      pause();
    return GO; /* a signal that is handled: the process goes on to its end */
  case HALF:
    return HALVE;
  case FAIL_ON:
    control->is_failing = 1; /* fall through */
  case FAIL_ONCE:
    errno = control->error;
    return REFUSE;
  case HOLD:
    while (!__atomic_load_n(&control->released, __ATOMIC_ACQUIRE))
      usleep(1000);
    return GO;
  default:
    return GO;
  }
}

static void leave(void) {
  int kept = errno;
  is_inside = 0;
  pthread_mutex_unlock(&control->lock);
  errno = kept;
}

/* Copies what a flush has made durable. */
static void shadow(int fd) {
  if (!control->shadows[0])
    return;
  char name[PATH_MAX], block[65536];
  snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
  int from = syscall(SYS_openat, AT_FDCWD, name, O_RDONLY | O_CLOEXEC);
  snprintf(name, sizeof name, "%s/%lu", control->shadows, control->number);
  int to = syscall(SYS_openat, AT_FDCWD, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  ssize_t length;
  while (from >= 0 && to >= 0 && (length = syscall(SYS_read, from, block, sizeof block)) > 0)
    syscall(SYS_write, to, block, length);
  syscall(SYS_close, from);
  syscall(SYS_close, to);
}

/* ---- names ---- */

#define NAMED(type, operation, folder, name, bad, call)                        \
  char path[PATH_MAX];                                                         \
  if (!below(folder, name, path))                                              \
    return call;                                                               \
  type result = bad;                                                           \
  if (enter(operation, path, NULL) == GO) {                                    \
    uint64_t inode = inode_of(path);                                           \
    result = call;                                                             \
    note(operation, result == bad ? errno : 0, inode ? inode : inode_of(path), 0, path, NULL); \
  }                                                                            \
  leave();                                                                     \
  return result

static int opened(int folder, const char *name, int flags, mode_t mode) {
  REAL(int, openat64, int, const char *, int, ...);
  char path[PATH_MAX];
  int writes = (flags & O_ACCMODE) != O_RDONLY || flags & (O_CREAT | O_TRUNC);
  if (!writes || (flags & O_TMPFILE) == O_TMPFILE || !below(folder, name, path))
    return real_openat64(folder, name, flags, mode);
  int result = -1;
  char operation = !inode_of(path) ? 'C' : flags & O_TRUNC ? 'T' : 'O';
  if (enter(operation, path, NULL) == GO) {
    result = real_openat64(folder, name, flags, mode);
    note(operation, result < 0 ? errno : 0, inode_of(path), 0, path, NULL);
  }
  leave();
  return result;
}

#define MODE(flags)                                                            \
  mode_t mode = 0;                                                             \
  if (flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE) {                   \
    va_list rest;                                                              \
    va_start(rest, flags);                                                     \
    mode = va_arg(rest, mode_t);                                               \
    va_end(rest);                                                              \
  }
#define OPENS(name)                                                            \
  int name(const char *path, int flags, ...) {                                 \
    MODE(flags)                                                                \
    return opened(AT_FDCWD, path, flags, mode);                                \
  }
#define OPENS_AT(name)                                                         \
  int name(int folder, const char *path, int flags, ...) {                     \
    MODE(flags)                                                                \
    return opened(folder, path, flags, mode);                                  \
  }
OPENS(open)
OPENS(open64)
OPENS_AT(openat)
OPENS_AT(openat64)
int creat(const char *path, mode_t mode) { return opened(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode); }
int creat64(const char *path, mode_t mode) { return creat(path, mode); }
int __open_2(const char *path, int flags) { return opened(AT_FDCWD, path, flags, 0); }
int __open64_2(const char *path, int flags) { return opened(AT_FDCWD, path, flags, 0); }
int __openat_2(int folder, const char *path, int flags) { return opened(folder, path, flags, 0); }
int __openat64_2(int folder, const char *path, int flags) { return opened(folder, path, flags, 0); }

/* A stream's own writes are not seen; C++ streams open so, but write by `write`. */
static FILE *streamed(const char *name, const char *how, FILE *(*real)(const char *, const char *)) {
  char path[PATH_MAX];
  if (how[0] == 'r' && !strchr(how, '+'))
    return real(name, how);
  if (!below(AT_FDCWD, name, path))
    return real(name, how);
  FILE *result = NULL;
  char operation = !inode_of(path) ? 'C' : how[0] == 'w' ? 'T' : 'O';
  if (enter(operation, path, NULL) == GO) {
    result = real(name, how);
    note(operation, result ? 0 : errno, inode_of(path), 0, path, NULL);
  }
  leave();
  return result;
}
FILE *fopen(const char *name, const char *how) {
  REAL(FILE *, fopen, const char *, const char *);
  return streamed(name, how, real_fopen);
}
FILE *fopen64(const char *name, const char *how) {
  REAL(FILE *, fopen64, const char *, const char *);
  return streamed(name, how, real_fopen64);
}

static int renamed(int from_folder, const char *from, int to_folder, const char *to, unsigned flags) {
  char source[PATH_MAX], target[PATH_MAX];
  if (!below(from_folder, from, source) || !below(to_folder, to, target))
    return syscall(SYS_renameat2, from_folder, from, to_folder, to, flags);
  int result = -1;
  if (enter('R', source, target) == GO) {
    uint64_t inode = inode_of(source);
    result = syscall(SYS_renameat2, from_folder, from, to_folder, to, flags);
    note('R', result ? errno : 0, inode, 0, source, target);
  }
  leave();
  return result;
}
int rename(const char *from, const char *to) { return renamed(AT_FDCWD, from, AT_FDCWD, to, 0); }
int renameat(int a, const char *from, int b, const char *to) { return renamed(a, from, b, to, 0); }
int renameat2(int a, const char *from, int b, const char *to, unsigned flags) { return renamed(a, from, b, to, flags); }

int linkat(int from_folder, const char *from, int to_folder, const char *to, int flags) {
  REAL(int, linkat, int, const char *, int, const char *, int);
  char source[PATH_MAX], target[PATH_MAX];
  if (!below(from_folder, from, source) || !below(to_folder, to, target))
    return real_linkat(from_folder, from, to_folder, to, flags);
  int result = -1;
  if (enter('L', source, target) == GO) {
    result = real_linkat(from_folder, from, to_folder, to, flags);
    note('L', result ? errno : 0, inode_of(source), 0, source, target);
  }
  leave();
  return result;
}
int link(const char *from, const char *to) { return linkat(AT_FDCWD, from, AT_FDCWD, to, 0); }

int unlinkat(int folder, const char *name, int flags) {
  REAL(int, unlinkat, int, const char *, int);
  NAMED(int, flags & AT_REMOVEDIR ? 'X' : 'U', folder, name, -1, real_unlinkat(folder, name, flags));
}
int unlink(const char *name) { return unlinkat(AT_FDCWD, name, 0); }
int rmdir(const char *name) { return unlinkat(AT_FDCWD, name, AT_REMOVEDIR); }
int remove(const char *name) {
  int result = unlinkat(AT_FDCWD, name, 0);
  return result && errno == EISDIR ? rmdir(name) : result;
}
int mkdirat(int folder, const char *name, mode_t mode) {
  REAL(int, mkdirat, int, const char *, mode_t);
  NAMED(int, 'N', folder, name, -1, real_mkdirat(folder, name, mode));
}
int mkdir(const char *name, mode_t mode) { return mkdirat(AT_FDCWD, name, mode); }
int symlinkat(const char *content, int folder, const char *name) {
  REAL(int, symlinkat, const char *, int, const char *);
  NAMED(int, 'K', folder, name, -1, real_symlinkat(content, folder, name));
}
int symlink(const char *content, const char *name) { return symlinkat(content, AT_FDCWD, name); }
int truncate(const char *name, off_t length) {
  REAL(int, truncate, const char *, off_t);
  NAMED(int, 'S', AT_FDCWD, name, -1, real_truncate(name, length));
}
int truncate64(const char *name, off_t length) { return truncate(name, length); }

/* ---- contents ---- */

#define WRITTEN(operation, fd, bytes, call, half)                              \
  char path[PATH_MAX];                                                         \
  struct stat facts;                                                           \
  if (!below_fd(fd, path, &facts) || S_ISDIR(facts.st_mode))                   \
    return call;                                                               \
  ssize_t result = -1;                                                         \
  switch (enter(operation, path, NULL)) {                                      \
  case GO:                                                                     \
    result = call;                                                             \
    note(operation, result < 0 ? errno : 0, facts.st_ino, result < 0 ? 0 : bytes, path, NULL); \
    break;                                                                     \
  case HALVE:                                                                  \
    half;                                                                      \
    kill(getpid(), SIGKILL);                                                   \
    pause();                                                                   \
  case REFUSE:                                                                 \
    break;                                                                     \
  }                                                                            \
  leave();                                                                     \
  return result

ssize_t write(int fd, const void *data, size_t size) {
  REAL(ssize_t, write, int, const void *, size_t);
  WRITTEN('W', fd, size, real_write(fd, data, size), real_write(fd, data, size / 2));
}
ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at) {
  REAL(ssize_t, pwrite64, int, const void *, size_t, off64_t);
  WRITTEN('W', fd, size, real_pwrite64(fd, data, size, at), real_pwrite64(fd, data, size / 2, at));
}
ssize_t pwrite(int fd, const void *data, size_t size, off_t at) { return pwrite64(fd, data, size, at); }
ssize_t writev(int fd, const struct iovec *parts, int count) {
  REAL(ssize_t, writev, int, const struct iovec *, int);
  WRITTEN('W', fd, result, real_writev(fd, parts, count), write(fd, parts[0].iov_base, parts[0].iov_len / 2));
}
ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t at) {
  REAL(ssize_t, pwritev64, int, const struct iovec *, int, off64_t);
  WRITTEN('W', fd, result, real_pwritev64(fd, parts, count, at),
          pwrite64(fd, parts[0].iov_base, parts[0].iov_len / 2, at));
}
ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t at) { return pwritev64(fd, parts, count, at); }
ssize_t sendfile64(int fd, int from, off64_t *at, size_t size) {
  REAL(ssize_t, sendfile64, int, int, off64_t *, size_t);
  WRITTEN('W', fd, result, real_sendfile64(fd, from, at, size), real_sendfile64(fd, from, at, size / 2));
}
ssize_t sendfile(int fd, int from, off_t *at, size_t size) { return sendfile64(fd, from, at, size); }
ssize_t copy_file_range(int from, off64_t *from_at, int fd, off64_t *at, size_t size, unsigned flags) {
  REAL(ssize_t, copy_file_range, int, off64_t *, int, off64_t *, size_t, unsigned);
  WRITTEN('W', fd, result, real_copy_file_range(from, from_at, fd, at, size, flags),
          real_copy_file_range(from, from_at, fd, at, size / 2, flags));
}
int ftruncate64(int fd, off64_t length) {
  REAL(int, ftruncate64, int, off64_t);
  WRITTEN('S', fd, length, real_ftruncate64(fd, length), (void)0);
}
int ftruncate(int fd, off_t length) { return ftruncate64(fd, length); }
int fallocate64(int fd, int mode, off64_t at, off64_t length) {
  REAL(int, fallocate64, int, int, off64_t, off64_t);
  WRITTEN('S', fd, at + length, real_fallocate64(fd, mode, at, length), (void)0);
}
int fallocate(int fd, int mode, off_t at, off_t length) { return fallocate64(fd, mode, at, length); }
int posix_fallocate64(int fd, off64_t at, off64_t length) { /* returns its error */
  return fallocate64(fd, 0, at, length) ? errno : 0;
}
int posix_fallocate(int fd, off_t at, off_t length) { return posix_fallocate64(fd, at, length); }

static int flushed(int fd, int (*real)(int)) {
  char path[PATH_MAX];
  struct stat facts;
  if (!below_fd(fd, path, &facts))
    return real(fd);
  int result = -1;
  char operation = S_ISDIR(facts.st_mode) ? 'D' : 'F';
  if (enter(operation, path, NULL) == GO) {
    result = real(fd);
    if (!result && operation == 'F')
      shadow(fd);
    note(operation, result ? errno : 0, facts.st_ino, facts.st_size, path, NULL);
  }
  leave();
  return result;
}
int fsync(int fd) {
  REAL(int, fsync, int);
  return flushed(fd, real_fsync);
}
int fdatasync(int fd) {
  REAL(int, fdatasync, int);
  return flushed(fd, real_fdatasync);
}

void *mmap64(void *address, size_t length, int protection, int flags, int fd, off64_t at) {
  REAL(void *, mmap64, void *, size_t, int, int, int, off64_t);
  char path[PATH_MAX];
  struct stat facts;
  if (!control || fd < 0 || !(protection & PROT_WRITE) || (flags & MAP_TYPE) == MAP_PRIVATE ||
      !below_fd(fd, path, &facts))
    return real_mmap64(address, length, protection, flags, fd, at);
  void *result = MAP_FAILED;
  if (enter('M', path, NULL) == GO) {
    result = real_mmap64(address, length, protection, flags, fd, at);
    note('M', result == MAP_FAILED ? errno : 0, facts.st_ino, length, path, NULL);
  }
  leave();
  return result;
}
void *mmap(void *address, size_t length, int protection, int flags, int fd, off_t at) {
  return mmap64(address, length, protection, flags, fd, at);
}
