// A local user who wants root's backup to write, read or wait where it should not. Runs until SIGTERM, in the user's
// own directory and as the user:   attacker DIRECTORY OUTSIDE SEED KIND... Each kind is a process of its own, and what
// it does is told by the seed:
//   swap      directories with databases are exchanged with links to directories of others, all the time
//   ambush    holds a database's PENDING lock; who waits for it finds its directory exchanged
//   fifo      databases and their companions are FIFOs, or become FIFOs
//   shm       mapped -shm files, logs and databases are cut, written over and mapped privately
//   sparse    files of a terabyte that begin like databases, and journals that begin like hot ones
//   lock      SQLite's locks are held, EXCLUSIVE and PENDING, and let go some time after somebody came
//   mess      modes of 0, deep trees, names with newlines, hard links, files that come, grow and go
//   restore   what a restore makes in this directory is exchanged with links as soon as it is there
// What is in DIRECTORY beforehand, attack.py has made. OUTSIDE is where the user may not go: cron.d and others are
// there.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#ifndef RENAME_EXCHANGE
#define RENAME_EXCHANGE 2
#endif
enum {
  PLACES = 4,
  DEPTH = 60,
  PENDING = 1073741824,
  RESERVED = PENDING + 1,
  SHARED_FIRST = PENDING + 2,
  SHARED_SIZE = 510
};

static const char* outside;
static uint64_t state;

// xorshift64*: the same everywhere.
static uint32_t random_below(uint32_t n) {
  state ^= state >> 12;
  state ^= state << 25;
  state ^= state >> 27;
  return (uint32_t)((state * 2685821657736338717ULL) >> 33) % n;
}
static void nap(uint32_t at_most_us) {
  usleep(random_below(at_most_us + 1));
}
static int exchange(const char* a, const char* b) {
  return (int)syscall(SYS_renameat2, AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE);
}
static const char* path(const char* format, ...) __attribute__((format(printf, 1, 2)));
static const char* path(const char* format, ...) {
  static char ring[8][512];
  static unsigned next;
  char* out = ring[next++ % 8];
  va_list args;
  va_start(args, format);
  vsnprintf(out, sizeof ring[0], format, args);
  va_end(args);
  return out;
}
static uint64_t now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}
static void put(const char* name, const void* bytes, size_t size, off_t length) {
  unlink(name);
  int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0644);
  if (fd < 0) return;
  if (write(fd, bytes, size) < 0 || ftruncate(fd, length) < 0) {
  }
  close(fd);
}
static int lock(int fd, short type, off_t start, off_t length) {
  struct flock l = {.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = length};
  return fcntl(fd, F_SETLK, &l);
}

static void swap(void) {
  for (;;) {
    uint32_t n = random_below(PLACES);
    exchange(path("a%u/d", n), path("a%u/l", n));
    nap(random_below(4) ? 300 : 30000);
    exchange(path("a%u/d", n), path("a%u/l", n));
    nap(random_below(4) ? 300 : 30000);
  }
}

// Exchanges the directory when somebody has had the database open for a while, which is: waits for its lock.
static void ambush_one(uint32_t n) {
  const char* name = path("a%u/d/e2scrub_all", n);
  int fd = open(name, O_RDWR);
  int in = inotify_init1(IN_CLOEXEC);
  char events[4096];
  if (fd < 0 || in < 0 || inotify_add_watch(in, name, IN_OPEN | IN_CLOSE) < 0 || lock(fd, F_WRLCK, PENDING, 1))
    goto end;
  int opened = 0;
  uint64_t until = now_ms() + 1500;
  uint32_t patience = 3 + random_below(25);
  while (now_ms() < until) {
    struct pollfd ready = {in, POLLIN, 0};
    int n_ready = poll(&ready, 1, opened > 0 ? (int)patience : 200);
    if (n_ready == 0 && opened > 0) break;
    if (n_ready <= 0) continue;
    ssize_t got = read(in, events, sizeof events);
    for (char* at = events; at < events + got;) {
      struct inotify_event* event = (void*)at;
      if (event->mask & IN_OPEN) opened++;
      if (event->mask & IN_CLOSE) opened--;
      at += sizeof *event + event->len;
    }
  }
  if (opened > 0) {
    const char* link = random_below(2) ? "l" : "m";
    exchange(path("a%u/d", n), path("a%u/%s", n, link));
    lock(fd, F_UNLCK, PENDING, 1);
    usleep(50000 + random_below(250000));
    exchange(path("a%u/d", n), path("a%u/%s", n, link));
  }
end:
  if (fd >= 0) close(fd);
  if (in >= 0) close(in);
}
static void ambush(void) {
  for (;;) {
    ambush_one(random_below(PLACES));
    nap(20000);
  }
}

static void fifo(void) {
  static const char* suffixes[] = {"", "-journal", "-wal", "-shm"};
  for (uint32_t n = 0; n < PLACES; ++n) {
    // A database of its own in each, made by attack.py, beside which each of the companions is a FIFO in turn.
    const char* suffix = suffixes[1 + n % 3];
    unlink(path("f%u/x.db%s", n, suffix));
    mkfifo(path("f%u/x.db%s", n, suffix), 0644);
    mkfifo(path("f%u/pipe", n), 0644);
    mkfifo(path("f%u/alone.db", n), 0644);
    mkfifo(path("f%u/alone.db-wal", n), 0644);
  }
  for (;;) {
    uint32_t n = random_below(PLACES);
    const char* suffix = suffixes[random_below(4)];
    mkfifo(path("f%u/pipe", n), 0644);
    exchange(path("f%u/pipe", n), path("f%u/x.db%s", n, suffix));
    nap(20000);
    exchange(path("f%u/pipe", n), path("f%u/x.db%s", n, suffix));
    nap(20000);
  }
}

// What is mapped is cut, and has its length again, and perhaps other bytes, as fast as that goes.
static void shm(void) {
  unsigned char noise[32768];
  for (size_t i = 0; i < sizeof noise; ++i) noise[i] = (unsigned char)random_below(256);
  for (;;) {
    int fds[PLACES];
    void* maps[PLACES];
    for (uint32_t n = 0; n < PLACES; ++n) {
      fds[n] = open(path("s%u/x.db%s", n, random_below(8) ? "-shm" : random_below(3) ? "-wal" : ""), O_RDWR);
      int how = random_below(2) ? MAP_SHARED : MAP_PRIVATE;
      maps[n] = mmap(NULL, sizeof noise, PROT_READ | PROT_WRITE, how, fds[n], 0);
    }
    uint32_t noisy = random_below(4);
    for (uint32_t times = 0; times < 200; ++times) {
      uint32_t n = random_below(PLACES);
      struct stat was;
      if (fstat(fds[n], &was)) continue;
      off_t size = was.st_size > 0 ? was.st_size : (off_t)sizeof noise;
      if (ftruncate(fds[n], 0)) continue;
      nap(random_below(4) ? 100 : 2000);
      if (ftruncate(fds[n], size)) continue;
      if (noisy == 0 && pwrite(fds[n], noise, random_below(sizeof noise), 0) < 0) continue;
      if (noisy == 1 && pwrite(fds[n], noise, 64 + random_below(200), random_below(300)) < 0) continue;
      nap(200);
    }
    for (uint32_t n = 0; n < PLACES; ++n) {
      if (maps[n] != MAP_FAILED) munmap(maps[n], sizeof noise);
      if (fds[n] >= 0) close(fds[n]);
    }
    nap(10000);
  }
}

static void big_endian(unsigned char* to, uint32_t value) {
  for (int i = 0; i < 4; ++i) to[i] = (unsigned char)(value >> (24 - 8 * i));
}

// SQLite's formats: a database header, and the header of a rollback journal that says that it runs to its end.
static void sparse(void) {
  unsigned char database[4096];
  unsigned char journal[512] = {0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7, 0xff, 0xff, 0xff, 0xff};
  const off_t tera = (off_t)1 << 40;
  big_endian(journal + 16, 1);     // pages before
  big_endian(journal + 20, 512);   // sector
  big_endian(journal + 24, 4096);  // page
  for (;;) {
    uint32_t n = random_below(PLACES);
    const char* name = path("p%u/x.db", n);
    int fd = open(name, O_RDWR);
    // The small database that attack.py made begins each of them.
    ssize_t got = fd < 0 ? -1 : pread(fd, database, sizeof database, 0);
    if (got == sizeof database) {
      switch (random_below(4)) {
        case 0:
          if (ftruncate(fd, tera)) return;
          break;
        case 1:
          // So many pages, says the header.
          big_endian(database + 28, 40000);
          if (pwrite(fd, database, 100, 0) < 0 || ftruncate(fd, (off_t)40000 * 4096)) return;
          break;
        case 2:
          put(path("p%u/x.db-journal", n), journal, sizeof journal, tera);
          break;
        default:
          big_endian(database + 28, 2);
          if (pwrite(fd, database, 100, 0) < 0 || ftruncate(fd, 8192)) return;
          unlink(path("p%u/x.db-journal", n));
      }
    }
    if (fd >= 0) close(fd);
    put(path("p%u/image", n), database, sizeof database, tera);
    nap(400000);
  }
}

static void hold(void) {
  for (;;) {
    uint32_t n = random_below(PLACES);
    const char* name = path("k%u/x.db", n);
    int fd = open(name, O_RDWR);
    int in = inotify_init1(IN_CLOEXEC);
    inotify_add_watch(in, name, IN_OPEN);
    if (fd >= 0) {
      lock(fd, F_WRLCK, PENDING, 1);
      if (random_below(2)) {
        lock(fd, F_WRLCK, RESERVED, 1);
        lock(fd, F_WRLCK, SHARED_FIRST, SHARED_SIZE);
      }
      struct pollfd ready = {in, POLLIN, 0};
      poll(&ready, 1, 1000);
      nap(random_below(5) ? 20000 : 1500000);
      close(fd);
    }
    close(in);
  }
}

static void mess(void) {
  for (;;) {
    uint32_t n = random_below(1000);
    switch (random_below(8)) {
      case 0:
        chmod(path("m/file%u", n % 20), random_below(2) ? 0 : 0644);
        break;
      case 1:
        chmod(path("m/dir%u", n % 5), random_below(2) ? 0 : 0755);
        break;
      case 2: {
        char deep[512] = "m/deep";
        mkdir(deep, 0755);
        for (int i = 0; i < DEPTH; ++i) {
          strcat(deep, "/d");
          mkdir(deep, 0755);
        }
        rename("m/deep", path("m/deep%u", n % 3));
        break;
      }
      case 3:
        put(path("m/line\nbreak%u\n", n % 10), "text", 4, 4);
        break;
      case 4:
        link(path("m/file%u", n % 20), path("m/link%u", n % 40));
        unlink(path("m/link%u", random_below(40)));
        // Where protected_hardlinks lets.
        link(path("%s/others/secret", outside), "m/stolen");
        break;
      case 5: {
        int fd = open(path("m/file%u", n % 20), O_WRONLY | O_CREAT | O_APPEND, 0644);
        if (fd >= 0) {
          if (write(fd, "more and more\n", 14) < 0 || (random_below(4) == 0 && ftruncate(fd, random_below(100000)))) {
          }
          close(fd);
        }
        break;
      }
      case 6:
        unlink(path("m/file%u", n % 20));
        symlink(path("%s/%s", outside, random_below(2) ? "others/secret" : "cron.d"), path("m/file%u", n % 20));
        nap(300);
        unlink(path("m/file%u", n % 20));
        break;
      default:
        exchange(path("m/file%u", n % 20), path("m/dir%u", n % 5));
        nap(500);
        exchange(path("m/file%u", n % 20), path("m/dir%u", n % 5));
    }
    nap(300);
  }
}

// What is there is moved aside for a while, and a link to where only root may write is in its place.
static void replace(const char* directory, const char* name) {
  struct stat status;
  if (lstat(path("%s/%s", directory, name), &status) || S_ISLNK(status.st_mode)) return;
  nap(random_below(3) ? 200 : 5000);
  const char* aside = path("aside/%u", random_below(1000000));
  symlink(path("%s/cron.d", outside), aside);
  exchange(aside, path("%s/%s", directory, name));
  nap(random_below(2) ? 2000 : 100000);
  exchange(aside, path("%s/%s", directory, name));
  unlink(aside);
}

// Whatever appears in back, or below it, is replaced; what is there is, too; and where a target's way may lead through
// there is a link beforehand.
static void restored(void) {
  enum { WATCHED = 64 };
  static char names[WATCHED][256];  // by watch
  int in = inotify_init1(IN_CLOEXEC);
  int first = inotify_add_watch(in, "back", IN_CREATE | IN_MOVED_TO);
  if (first < 0) return;
  snprintf(names[first % WATCHED], sizeof names[0], "back");
  mkdir("aside", 0755);
  char events[8192];
  for (;;) {
    struct pollfd ready = {in, POLLIN, 0};
    if (poll(&ready, 1, 10) == 0) {
      uint32_t n = random_below(6);
      if (n >= 4) {
        replace("back/keep", n == 4 ? "quiet" : "play");
        continue;
      }
      symlink(path("%s/cron.d", outside), path("back/new%u", n));
      nap(20000);
      unlink(path("back/new%u", n));
      continue;
    }
    ssize_t got = read(in, events, sizeof events);
    for (char* at = events; at < events + got;) {
      struct inotify_event* event = (void*)at;
      at += sizeof *event + event->len;
      if (event->len == 0 || strlen(event->name) > 60) continue;
      const char* directory = names[event->wd % WATCHED];
      if (event->mask & IN_ISDIR && strlen(directory) < 120) {
        const char* inner = path("%s/%s", directory, event->name);
        int watch = inotify_add_watch(in, inner, IN_CREATE | IN_MOVED_TO | IN_ONLYDIR);
        if (watch >= 0) snprintf(names[watch % WATCHED], sizeof names[0], "%s", inner);
      }
      replace(directory, event->name);
    }
  }
}

static const struct {
  const char* name;
  void (*run)(void);
} kinds[] = {{"swap", swap},     {"ambush", ambush}, {"fifo", fifo}, {"shm", shm},
             {"sparse", sparse}, {"lock", hold},     {"mess", mess}, {"restore", restored}};

static void stop(int signal_number) {
  (void)signal_number;
  _exit(0);
}

int main(int argc, char** argv) {
  if (argc < 5 || chdir(argv[1]) != 0 || geteuid() == 0) {
    fprintf(stderr, "usage, as somebody else than root: attacker DIRECTORY OUTSIDE SEED KIND...\n");
    return 2;
  }
  signal(SIGTERM, stop);
  umask(022);
  outside = argv[2];
  for (int i = 4; i < argc; ++i) {
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; ++k) {
      if (strcmp(argv[i], kinds[k].name) != 0) continue;
      pid_t child = fork();
      if (child < 0) return 1;
      if (child > 0) continue;
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      state = strtoull(argv[3], NULL, 10) * 0x9E3779B97F4A7C15ULL + k + 1;
      for (int warm = 0; warm < 8; ++warm) random_below(2);
      kinds[k].run();
      fprintf(stderr, "attacker: %s ended: %s\n", kinds[k].name, strerror(errno));
      _exit(1);
    }
  }
  puts("armed");
  fflush(stdout);
  for (;;) {
    int status;
    if (wait(&status) < 0 && errno == ECHILD) return 1;
  }
}
