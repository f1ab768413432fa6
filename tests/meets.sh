#!/bin/sh
# Programs that the library meets otherwise than most: with a malloc of their own, started by naming the dynamic linker, with a
# module that brings libseccomp along for itself, with unwind tables made at run time, beside libraries that wrap what we wrap.
. "${srcdir:-.}/tests/compile.sh"
cd "$tmp" || exit 99

# plain FLAG-OR-FILE...: a program or a module that is not linked with the library.
plain() { try "cc $*" "${CC:-cc}" -O2 -fno-builtin "$@"; }

# says PATTERN COMMAND...: its output.
says() {
    want=$1
    shift
    out=$("$@" 2>&1)
    case $out in
    $want) ;;
    *) fail "$*: $out" ;;
    esac
}

# A malloc of its own, in part: reallocarray is libc's, by the program's realloc.
cat >own.c <<'EOF'
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
static char all[1 << 20];
static size_t used, reallocs;
void *malloc(size_t n)
{
	size_t *p = (size_t *)(void *)(all + used);
	used += (n + 31) & ~(size_t)15;
	*p = n;
	return used <= sizeof all ? p + 2 : NULL;
}
void free(void *p) { (void)p; }
void *calloc(size_t n, size_t size) { return malloc(n * size); }
void *realloc(void *p, size_t n)
{
	void *q = malloc(n);
	reallocs++;
	if (p && q)
		memcpy(q, p, ((size_t *)p)[-2] < n ? ((size_t *)p)[-2] : n);
	return q;
}
int main(void)
{
	char *p = reallocarray(NULL, 3, 2);
	strcpy(p, "hello");
	p = reallocarray(p, 1000, 2);
	printf("%s %zu %s\n", p, reallocs, reallocarray(p, (size_t)-1, 2) ? "overflow" : "refused");
	return 0;
}
EOF
plain own.c -o own
says 'hello 2 refused' env LD_PRELOAD="$lib" ./own

# The dynamic linker as the program: call sites are told apart, and new throws, as ever.
linker=$(${CC:-cc} -print-file-name=ld-linux-x86-64.so.2)
cat >sites.c <<'EOF'
#include <stdlib.h>
static void *volatile kept;
__attribute__((noinline)) static void *xmalloc(size_t n) { void *p = malloc(n); kept = p; return p; }
__attribute__((noinline)) static void one(void) { free(xmalloc(200)); kept = 0; }
__attribute__((noinline)) static void two(void) { free(xmalloc(200)); kept = 0; }
__attribute__((noinline)) static void keeps(void) { xmalloc(200); kept = 0; }
int main(void)
{
	for (int i = 0; i < 20000; i++) {
		keeps();
		one();
		two();
	}
	return 0;
}
EOF
plain sites.c -o sites
if [ -e "$linker" ]; then
    says '*call sites: wrappers [1-9], links [2-9],*' env LD_PRELOAD="$lib" TYPED_MALLOC_OPTIONS="$TYPED_MALLOC_OPTIONS:stats=1" "$linker" ./sites
fi

# libseccomp, as it were, where only the module can see it, as a library of its own and within, and called last.
echo 'int seccomp_load(const void *filter) { return filter ? 42 : 43; }' >filter.c
echo 'int seccomp_load(const void *); int module(void) { return seccomp_load("") + 1; }' >module.c
echo 'int seccomp_load(const void *); int module(void) { return seccomp_load(0); }' >last.c
cat >opens.c <<'EOF'
#include <dlfcn.h>
#include <stdio.h>
int main(int argc, char **argv)
{
	void *m = argc == 2 ? dlopen(argv[1], RTLD_NOW | RTLD_LOCAL) : NULL;
	int (*f)(void) = m ? (int (*)(void))dlsym(m, "module") : NULL;
	printf("%d\n", f ? f() : -1);
	return 0;
}
EOF
plain -shared -fPIC filter.c -o libseccomp.so.2 -Wl,-soname,libseccomp.so.2
plain -shared -fPIC module.c -o with.so libseccomp.so.2 -Wl,-rpath,"$tmp"
plain -shared -fPIC last.c -o last.so libseccomp.so.2 -Wl,-rpath,"$tmp"
plain -shared -fPIC module.c filter.c -o within.so
plain opens.c -o opens -ldl
for module in with within last; do
    says 43 env LD_PRELOAD="$lib" ./opens "./$module.so"
done

# Linked with the static library: the unwinder sorts the tables that the program has registered, and allocates with a lock.
archive=${lib%/*}/libtyped_malloc.a
cat >tables.cc <<'EOF'
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
extern "C" void __register_frame(void *);
extern "C" void __deregister_frame(void *);
struct common { uint32_t bytes, id; uint8_t version, letters, code_align, data_align, back, rules[11]; };
struct entry { uint32_t bytes, back; uint64_t start, length; uint8_t rules[8]; };
struct table { common c; entry all[100]; uint32_t end; };
int main()
{
	for (int round = 0; round < 3000; round++) {
		table *t = static_cast<table *>(calloc(1, sizeof *t));
		t->c = {20, 0, 1, 0, 1, 0x78, 16, {0x0c, 7, 8, 0x90, 1}};
		for (unsigned i = 0; i < 100; i++)
			t->all[i] = {28, static_cast<uint32_t>(reinterpret_cast<char *>(&t->all[i].back) - reinterpret_cast<char *>(t)),
				     0x10000 + i * 16, 16, {}};
		__register_frame(t);
		try {
			throw round;
		} catch (int) {
		}
		__deregister_frame(t);
		free(t);
	}
	puts("tables");
}
EOF
if [ -f "$archive" ] && "${CXX:-c++}" -w -O1 tables.cc -o tables "$archive" -lpthread >log 2>&1; then
    says tables env TYPED_MALLOC_OPTIONS=sample=1 timeout 60 ./tables
fi
# A library behind ours that wraps syscall and prctl is asked before and after the first allocation; one before ours whose dlsym
# loses who asks does not make us find ourselves.
cat >wraps.c <<'EOF'
#include <stdarg.h>
long syscall(long number, ...) { return number == 4242 ? 1 : -1; }
int prctl(int option, ...) { return option == 4242 ? 1 : -1; }
EOF
cat >dlsym.c <<'EOF'
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stddef.h>
void *dlsym(void *handle, const char *name)
{
	static void *(*libcs)(void *, const char *);
	if (!libcs)
		libcs = (void *(*)(void *, const char *))dlvsym(RTLD_NEXT, "dlsym", "GLIBC_2.2.5");
	void *p = libcs(handle, name);
	__asm__ volatile("" : "+r"(p)); /* not its last call: the caller is lost */
	return p;
}
EOF
cat >clock.c <<'EOF'
#include <stdlib.h>
#include <time.h>
/* As libfaketime's, which has to find libc's first. */
int clock_gettime(clockid_t clock, struct timespec *t)
{
	void *volatile p = malloc(100);
	free(p);
	t->tv_sec = clock;
	t->tv_nsec = 0;
	return 0;
}
EOF
cat >times.c <<'EOF'
#include <stdlib.h>
#include <unistd.h>
int main(void)
{
	static void *volatile p[20000];
	for (int i = 0; i < 20000; i++)
		p[i] = malloc((size_t)i % 3000);
	for (int i = 0; i < 20000; i++)
		free(p[i]);
	return write(1, "works\n", 6) < 0;
}
EOF
cat >calls.c <<'EOF'
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>
int main(void)
{
	char line[80];
	int before = syscall(4242) == 1 && prctl(4242) == 1;
	void *volatile p = malloc(100);
	int after = syscall(4242) == 1 && prctl(4242) == 1;
	int n = snprintf(line, sizeof line, "%d %d %d\n", before, after, p != NULL);
	return write(1, line, (size_t)n) < 0;
}
EOF
plain -shared -fPIC wraps.c -o wraps.so
plain calls.c -o calls
says '1 1 1' env LD_PRELOAD="$lib:./wraps.so" ./calls
plain -shared -fPIC clock.c -o clock.so
plain times.c -o times
for both in "$lib:./clock.so" "./clock.so:$lib"; do says works timeout 60 env LD_PRELOAD="$both" ./times; done
if [ "$(uname -m)" = x86_64 ]; then
    plain -shared -fPIC dlsym.c -o dlsym.so
    says '0 0 1' timeout 20 env LD_PRELOAD="./dlsym.so:$lib" ./calls
fi
conclude meets
