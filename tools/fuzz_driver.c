/* SPDX-License-Identifier: MIT */
/*
 * fuzz_driver.c: main of a fuzz target. `target FILE...' runs each file once, in this order, in one process. Started by
 * typed-fuzz(1) it serves batches: fuzz_driver.h has the picture.
 */
#define _GNU_SOURCE
#include "fuzz_driver.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#if defined(__has_include)
#if __has_include(<valgrind/memcheck.h>)
#include <valgrind/memcheck.h>
#define HAVE_VALGRIND 1
#endif
#endif
#ifndef HAVE_VALGRIND
#define RUNNING_ON_VALGRIND 0
#define VALGRIND_COUNT_ERRORS 0
#define VALGRIND_DO_ADDED_LEAK_CHECK ((void)0)
#define VALGRIND_DISABLE_ERROR_REPORTING ((void)0)
#define VALGRIND_ENABLE_ERROR_REPORTING ((void)0)
#define VALGRIND_CHECK_MEM_IS_ADDRESSABLE(p, n) 1
#endif

#define REPEATS 3 /* an input that leaves objects behind each time leaks */
#define TICK_MS 20

enum { DONE, SIGNALLED, TIMED_OUT, TOO_LARGE, EXITED }; /* how a batch ended; FZ_RUNNING: within an input */
enum { FZ_RUNNING = 3 };

struct reply {
	int32_t how, status;
};

uint64_t *fz_words;
static int control, answer;

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void fail(const char *what)
{
	fprintf(stderr, "typed_fuzz: %s: %s\n", what, strerror(errno));
	exit(2);
}

/* One run, of a copy whose end is the end of an object. */
static int run_once(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size);
	int r;

	if (!copy && size)
		fail("malloc");
	if (size)
		memcpy(copy, data, size);
	fz_balance = 0;
	fz_hooks_input(copy, size);
	fz_on = 1;
	r = LLVMFuzzerTestOneInput(copy, size);
	fz_on = 0;
	free(copy);
	return r;
}

/* What it leaves behind: the library looks at each such object's end. True: it leaves some each time. */
static bool leaves_objects(const uint8_t *data, size_t size)
{
	bool each = true;

	fz_recording = 1;
	for (int i = 0; i < REPEATS && each; i++) {
		fz_record_clear();
		run_once(data, size);
		each = fz_record_check() > 0;
	}
	fz_recording = 0;
	return each;
}

/* ---- batches ---- */

static void put_record(const uint8_t *data, size_t size, unsigned flags, unsigned features)
{
	uint8_t *out = (uint8_t *)fz_words + FZ_AT_OUT + fz_words[FZ_OUT_USED];
	struct fz_record r = {(uint32_t)fz_words[FZ_CURRENT], (uint32_t)size, flags, features};

	memcpy(out, &r, sizeof r);
	memcpy(out + sizeof r, data, size);
	fz_words[FZ_OUT_USED] += sizeof r + ((size + 7) & ~(size_t)7);
	fz_words[FZ_NOUT]++;
}

static size_t next_input(uint8_t *to, unsigned number)
{
	size_t size, max = fz_words[FZ_MAX_LEN];

	if (fz_words[FZ_COMMAND] == FZ_MUTATE) {
		fz_random_seed(fz_words[FZ_SEED] + fz_mix(number));
		return fz_make(to, max);
	}
	const uint8_t *p = fz_entry(number, &size);
	memcpy(to, p, size);
	return size;
}

/* The current input, and what is to be known of it. False: the batch stops here. */
static bool run_input(const uint8_t *data, size_t size)
{
	uint64_t flags = fz_words[FZ_FLAGS];
	unsigned fresh, found = 0, errors = VALGRIND_COUNT_ERRORS;
	int r;

	fz_cover_begin();
	r = run_once(data, size);
	long left = fz_balance;
	if (left > 0)
		fz_feature(0x6c656674u ^ (uint64_t)(left < 64 ? left : 64));
	fresh = fz_cover_end();
	fz_words[FZ_FEATURES] += fresh;
	if (RUNNING_ON_VALGRIND && (flags & FZ_LEAKS) && (fresh || (flags & FZ_KEEP_ALL)))
		VALGRIND_DO_ADDED_LEAK_CHECK;
	if (!RUNNING_ON_VALGRIND && left > 0 && (fresh || (flags & FZ_KEEP_ALL)) && leaves_objects(data, size) && (flags & FZ_LEAKS))
		found |= FZ_LEAK;
	if (!RUNNING_ON_VALGRIND && (flags & FZ_SWEEP))
		malloc_trim(0);
	if (VALGRIND_COUNT_ERRORS != errors)
		found |= FZ_VG_ERROR;
	if (fresh && r != -1)
		found |= FZ_NEW;
	if (found || (flags & FZ_KEEP_ALL))
		put_record(data, size, found, fresh);
	return !(found & (FZ_VG_ERROR | FZ_LEAK));
}

static void run_batch(void)
{
	uint8_t *current = (uint8_t *)fz_words + FZ_AT_CURRENT;

	fz_words[FZ_STOPPED] = FZ_RUNNING;
	fz_words[FZ_INFO] = (RUNNING_ON_VALGRIND ? FZ_VALGRIND : 0) | (fz_cover_counters() ? FZ_COUNTERS : 0);
	for (uint64_t i = fz_words[FZ_FIRST]; i < fz_words[FZ_COUNT]; i++) {
		if (fz_words[FZ_OUT_USED] + sizeof(struct fz_record) + fz_words[FZ_MAX_LEN] + 8 > FZ_AREA_BYTES) {
			fz_words[FZ_STOPPED] = FZ_OUT_FULL;
			return;
		}
		fz_words[FZ_CURRENT] = i;
		size_t size = next_input(current, (unsigned)i);
		fz_words[FZ_LEN] = size;
		__atomic_store_n(&fz_words[FZ_STARTED], now_ns(), __ATOMIC_RELEASE);
		bool on = run_input(current, size);
		__atomic_store_n(&fz_words[FZ_STARTED], 0, __ATOMIC_RELEASE);
		fz_words[FZ_DONE]++;
		if (!on) {
			fz_words[FZ_STOPPED] = FZ_ERROR;
			return;
		}
	}
	/* What the last inputs wrote to free memory. It has the last one's number; typed-fuzz looks who it was. */
	if (!RUNNING_ON_VALGRIND && fz_words[FZ_COMMAND] == FZ_MUTATE && (fz_words[FZ_FLAGS] & FZ_STRICT))
		malloc_trim(0);
	fz_words[FZ_STOPPED] = FZ_ALL;
}

static uint64_t rss_kib(pid_t pid)
{
	char path[40];
	unsigned long size, pages = 0;
	FILE *f;

	snprintf(path, sizeof path, "/proc/%d/statm", (int)pid);
	f = fopen(path, "r");
	if (!f)
		return 0;
	if (fscanf(f, "%lu %lu", &size, &pages) != 2)
		pages = 0;
	fclose(f);
	return pages * (uint64_t)(sysconf(_SC_PAGESIZE) / 1024);
}

/* SIGABRT first, for the stack; then for good. */
static int end_child(pid_t pid)
{
	int status;

	kill(pid, SIGABRT);
	for (int i = 0; i < 50; i++) {
		if (waitpid(pid, &status, WNOHANG) == pid)
			return status;
		usleep(TICK_MS * 1000);
	}
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	return status;
}

/* Wait for the child; it may take its time, but no input may. */
static struct reply watch(pid_t pid, const sigset_t *set)
{
	struct reply r = {DONE, 0};
	const struct timespec tick = {.tv_nsec = TICK_MS * 1000000};
	int status;

	for (;;) {
		if (waitpid(pid, &status, WNOHANG) == pid)
			break;
		sigtimedwait(set, NULL, &tick);
		uint64_t since = __atomic_load_n(&fz_words[FZ_STARTED], __ATOMIC_ACQUIRE), t = now_ns();
		if (since && t > since && t - since > fz_words[FZ_TIMEOUT_MS] * 1000000)
			r.how = TIMED_OUT;
		else if (fz_words[FZ_RSS_KIB] && !RUNNING_ON_VALGRIND && rss_kib(pid) > fz_words[FZ_RSS_KIB])
			r.how = TOO_LARGE;
		else
			continue;
		r.status = end_child(pid);
		return r;
	}
	r.status = status;
	if (RUNNING_ON_VALGRIND && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL && fz_words[FZ_STOPPED] != FZ_RUNNING)
		return r;
	if (WIFSIGNALED(status))
		r.how = SIGNALLED;
	else if (fz_words[FZ_STOPPED] == FZ_RUNNING || WEXITSTATUS(status))
		r.how = EXITED;
	return r;
}

static struct reply batch_in_child(void)
{
	sigset_t set, old;
	pid_t pid;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, &old);
	pid = fork();
	if (pid < 0)
		fail("fork");
	if (pid == 0) {
		sigprocmask(SIG_SETMASK, &old, NULL);
		close(control);
		close(answer);
		if (fz_words[FZ_FLAGS] & FZ_EXACT)
			fz_exact_start((fz_words[FZ_FLAGS] & FZ_ALIGNED) != 0);
		run_batch();
		if (RUNNING_ON_VALGRIND)
			kill(getpid(), SIGKILL); /* it would look for leaks */
		_exit(0);
	}
	struct reply r = watch(pid, &set);
	sigprocmask(SIG_SETMASK, &old, NULL);
	return r;
}

static void *shared(int fd, size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (p == MAP_FAILED)
		fail("shared memory");
	close(fd);
	return p;
}

static int serve(const char *descriptors)
{
	int memory, seen;
	char c;

	if (sscanf(descriptors, "%d,%d,%d,%d", &control, &answer, &memory, &seen) != 4)
		return 2;
	fz_words = shared(memory, FZ_SHARED_BYTES);
	fz_seen = shared(seen, FZ_SEEN_BYTES);
	if (fz_words[FZ_MAGIC] != FZ_MAGIC_VALUE) {
		fprintf(stderr, "typed_fuzz: the target's libtyped_fuzz.a is of another version than typed-fuzz\n");
		return 2;
	}
	while (read(control, &c, 1) == 1) {
		struct reply r = {DONE, 0};
		fz_words[FZ_DONE] = fz_words[FZ_NOUT] = fz_words[FZ_OUT_USED] = fz_words[FZ_STARTED] = fz_words[FZ_LEN] = 0;
		if (RUNNING_ON_VALGRIND && !(fz_words[FZ_FLAGS] & FZ_FORK))
			run_batch();
		else
			r = batch_in_child();
		if (write(answer, &r, sizeof r) != sizeof r)
			return 2;
	}
	return 0;
}

/* ---- files ---- */

static uint8_t *read_file(const char *path, size_t *size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint8_t *p = NULL;
	ssize_t got = 1;

	if (fd < 0)
		fail(path);
	for (*size = 0; got > 0; *size += (size_t)got) {
		p = realloc(p, *size + 65536);
		if (!p)
			fail(path);
		got = read(fd, p + *size, 65536);
		if (got < 0)
			fail(path);
	}
	close(fd);
	return p;
}

static int run_file(const char *path)
{
	size_t size;
	uint8_t *p = read_file(path, &size);

	run_once(p, size);
	if (!RUNNING_ON_VALGRIND && fz_balance > 0 && leaves_objects(p, size) && getenv("TYPED_FUZZ_LEAKS"))
		fprintf(stderr, "typed_fuzz: %s: objects are left behind\n", path);
	fprintf(stderr, "typed_fuzz: ran %s (%zu bytes)\n", path, size);
	free(p);
	return 0;
}

/* Whether memcheck knows where an object of the library ends. */
static bool library_tells(void)
{
	void *(*allocate)(size_t, size_t) = (void *(*)(size_t, size_t))dlsym(RTLD_NEXT, "typed_malloc_token");
	void (*give_back)(void *) = (void (*)(void *))dlsym(RTLD_NEXT, "typed_free");
	char *p = allocate && give_back ? allocate(40, 0) : NULL;
	bool tells;

	if (!p)
		return false;
	VALGRIND_DISABLE_ERROR_REPORTING;
	tells = VALGRIND_CHECK_MEM_IS_ADDRESSABLE(p + 40, 1) != 0;
	VALGRIND_ENABLE_ERROR_REPORTING;
	give_back(p);
	return tells;
}

int main(int argc, char **argv)
{
	const char *descriptors = getenv("TYPED_FUZZ_FDS");
	int files = 0;

	fz_plain = RUNNING_ON_VALGRIND && !library_tells();
	if (LLVMFuzzerInitialize)
		LLVMFuzzerInitialize(&argc, &argv);
	if (!RUNNING_ON_VALGRIND)
		fz_frames_start();
	if (descriptors)
		return serve(descriptors);
	if (getenv("TYPED_FUZZ_EXACT") && !RUNNING_ON_VALGRIND)
		fz_exact_start(false);
	for (int i = 1; i < argc; i++) {
		if (argv[i][0] == '-' && argv[i][1])
			continue; /* libFuzzer's options */
		run_file(argv[i]);
		files++;
	}
	if (!files) {
		fprintf(stderr, "usage: %s FILE...\nRuns each file once. typed-fuzz(1) finds files to run.\n", argv[0]);
		return 2;
	}
	return 0;
}
