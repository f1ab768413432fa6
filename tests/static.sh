#!/bin/sh
# Fully static programs, C and C++, linked with the static library: they start, allocate from it, and a new that fails throws.
lib=${TYPED_MALLOC_LIB:?is not set}
archive=${lib%/*}/libtyped_malloc.a
[ -f "$archive" ] || { echo "skipped: no static library"; exit 77; }
tmp=$(mktemp -d) || exit 99
trap 'rm -rf "$tmp"' EXIT
ulimit -c 0
failed=0
cat >"$tmp/c.c" <<'EOF'
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
static void *kept[30000];
__attribute__((noinline)) static void *xmalloc(size_t n)
{
	void *p = malloc(n);
	if (!p)
		abort();
	return p;
}
int main(void)
{
	for (int i = 0; i < 30000; i++)
		memset(kept[i] = xmalloc((size_t)i % 300 + 1), 1, 1);
	for (int i = 0; i < 30000; i++)
		free(kept[i]);
	char *twice = malloc(100);
	printf("works\n");
	fflush(stdout);
	free(twice);
	__asm__ volatile("" : "+r"(twice));
	free(twice);
	return 0;
}
EOF
# What the library stands before in a dynamic program: here libc's fork and handlers, and the system's limits.
cat >"$tmp/hooks.c" <<'EOF'
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
static int ran;
static void handler(void) { ran++; }
int main(void)
{
	struct rlimit l;
	int status = 1;
	errno = 0;
	if (syscall(SYS_getpid) != getpid() || errno || syscall(SYS_close, -1) != -1 || errno != EBADF || mlockall(~0) != -1 ||
	    errno != EINVAL || chroot("/nowhere") != -1 || errno == EINVAL)
		return 3;
	void *volatile p = malloc(100);
	if (pthread_atfork(handler, handler, handler) || getrlimit(RLIMIT_NOFILE, &l) || setrlimit(RLIMIT_NOFILE, &l) ||
	    prlimit(0, RLIMIT_NOFILE, &l, &l) || prctl(PR_SET_NAME, "static"))
		return 1;
	pid_t child = fork();
	if (!child) {
		for (int i = 0; i < 10000; i++) {
			free(p);
			p = malloc((size_t)i % 1000);
		}
		_exit(ran == 2 && p ? 0 : 2);
	}
	waitpid(child, &status, 0);
	printf("%s\n", status || ran != 2 ? "fork fails" : "hooks");
	return 0;
}
EOF
cat >"$tmp/cc.cc" <<'EOF'
#include <cstdio>
#include <new>
#include <vector>
int main()
{
	try {
		std::vector<int> v;
		v.reserve(v.max_size());
		__asm__ volatile("" : : "r"(v.data()) : "memory");
	} catch (const std::bad_alloc &) {
		std::puts("thrown");
	}
}
EOF
# try COMPILER SOURCE FLAG WANTED
try() {
    $1 "$3" -O1 -w "$tmp/$2" -o "$tmp/plain" 2>/dev/null || { echo "$1 $3: skipped"; return; }
    $1 "$3" -O1 -w "$tmp/$2" "$archive" -pthread -o "$tmp/p" 2>"$tmp/log" || { echo "FAIL: $1 $3 $2 does not link:"; cat "$tmp/log"; failed=1; return; }
    for options in "" sample=1; do
        out=$(TYPED_MALLOC_OPTIONS=$options "$tmp/p" 2>&1)
        case $out in
        $4) ;;
        *) echo "FAIL: $1 $3 $2, options \"$options\": $out"; failed=1 ;;
        esac
    done
}
for flag in -static -static-pie; do
    try "${CC:-cc}" c.c $flag "works*typed_malloc: *free(): double free of *"
    try "${CC:-cc}" hooks.c $flag hooks
    try "${CXX:-c++}" cc.cc $flag thrown
done
exit $failed
