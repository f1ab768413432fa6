#!/bin/sh
# typed-cover: sites with and without a type, wrappers, the header that types them, and what becomes of the build. Needs a clang with
# allocation tokens, whose symbols tell independently of typed-cover which sites it typed.
top=$(cd "${srcdir:-.}" && pwd)
cover=$top/tools/typed-cover
tmp=$(mktemp -d) || exit 99
trap 'rm -rf "$tmp"' EXIT
cd "$tmp" || exit 99
here=$(pwd -P)
failed=0
unset CC CXX CFLAGS MAKEFLAGS MAKELEVEL MFLAGS

clang=
for c in "${TYPED_COVER_CLANG:-}" clang-24 clang-23 clang-22 clang; do
    [ -n "$c" ] && $c -fsanitize=alloc-token -fsanitize-alloc-token-extended -x c -c /dev/null -o null.o 2>/dev/null &&
        clang=$c && break
done
if [ -z "$clang" ] || ! command -v python3 >/dev/null || ! command -v cc >/dev/null; then
    echo 'no clang with -fsanitize=alloc-token, or no python3, or no cc'
    exit 77
fi

fail() { echo "FAIL: $*"; failed=1; }
# expect STATUS COMMAND...: standard output in out, standard error in err.
expect() {
    want=$1
    shift
    "$@" >"$here/out" 2>"$here/err" </dev/null
    status=$?
    [ $status = "$want" ] || { fail "$*: exit $status, not $want"; sed 's/^/    /' "$here/out" "$here/err"; }
}
# A line that is, or is not, in `out', as a basic regular expression for all of it.
says() { grep -qx "$1" "$here/out" || { fail "no line: $1"; sed 's/^/    /' "$here/out"; }; }
says_not() { ! grep -qx "$1" "$here/out" || fail "a line too many: $1"; }
# refuse STATUS TEXT ARGUMENT...: one line on standard error, nothing on standard output.
refuse() {
    want=$1 text=$2
    shift 2
    expect "$want" "$cover" "$@"
    { grep -qx "typed-cover: $text" err && [ "$(wc -l <err)" = 1 ] && [ ! -s out ]; } ||
        { fail "not refused as it should be: $*"; cat out err; }
}
# json EXPRESSION: what a Python expression over the data in out.json gives.
json() { python3 -c 'import json; d = json.load(open("out.json")); print(eval(__import__("sys").argv[1]))' "$1"; }
# equal WHAT GOT WANTED
equal() { [ "$2" = "$3" ] || fail "$1: $2, not $3"; }

mkdir -p p/sub
cat >p/wrap.h <<'END'
#include <stdlib.h>
struct node { struct node *next; int value; };
void *xmalloc(size_t n);
void *xcalloc(size_t n, size_t size);
void *xrealloc(void *p, size_t n);
void *prefixed(size_t n);
void *sloppy(size_t n);
void *longer(size_t n);
void *arena_get(struct node *where, const char *name, size_t n);
char *string_new(const char *from, size_t n);
struct pair { long a, b; };
void *by_value(struct pair p, size_t n);
void *usable(size_t n, size_t *got);
void *listed(struct node *list);
enum colour { RED, BLUE };
void *callback(void *(*f)(int, const char *const *), enum colour colour, size_t n);
void *unused(size_t n);
inline void *inlined(size_t n) { return xmalloc(n); }
typedef struct { int x; } anonymous;
void *unnamed(anonymous *a, size_t n);
static inline void *in_header(size_t n) { return malloc(n); }
END
# Every inferred or not inferred case on a line of its own.
cat >p/wrap.c <<'END'
#include <stdlib.h>
#include <string.h>
#include <malloc.h>
#include "wrap.h"
static void *base(size_t n)
{
	void *p = malloc(n);
	if (!p)
		abort();
	n = malloc_usable_size(p);
	return p;
}
void *xmalloc(size_t n) { return base(n); }
void *xcalloc(size_t n, size_t size) { void *p = calloc(n, size); return p ? p : (abort(), p); }
void *xrealloc(void *p, size_t n) { if (!n) n = 1; return p ? realloc(p, n) : xmalloc(n); }
void *prefixed(size_t n) { size_t *p = (void *)malloc(n + 8); *p = n; return (char *)p + 8; }
void *sloppy(size_t n) { char *p = xmalloc(n + 1); p[n] = 0; return p; }
void *longer(size_t n) { void *p = xmalloc(n + 1); return p; }
void *arena_get(struct node *where, const char *name, size_t n) { (void)where; (void)name; return xmalloc(n); }
char *string_new(const char *from, size_t n) { void *p = malloc(n); return from ? memcpy(p, from, n) : p; }
void *by_value(struct pair p, size_t n) { return xmalloc(n + 0 * p.a); }
void *usable(size_t n, size_t *got) { void *p = malloc(n); *got = malloc_usable_size(p); return p; }
static void *head;
void *listed(struct node *list) { void *p = malloc(list ? 8 : 9); head = p; return p; }
void *callback(void *(*f)(int, const char *const *), enum colour colour, size_t n) { (void)f; (void)colour; return xmalloc(n); }
void *unused(size_t n) { return xmalloc(n); }
void *unnamed(anonymous *a, size_t n) { (void)a; return xmalloc(n); }
extern inline void *inlined(size_t n);
void *aligned(size_t n) { void *p; return posix_memalign(&p, 64, n) ? 0 : p; }
END
cat >p/main.c <<'END'
#include <stdlib.h>
#include "wrap.h"
void *sink;
static void use(void *p) { sink = p; }
int main(int argc, char **argv)
{
	size_t n = argc, got;
	struct node *a = malloc(sizeof *a);
	use(a);
	use(malloc(n));
	use((void *)malloc(n));
	use(&((struct node *)xmalloc(sizeof(struct node)))->next);
	a = xmalloc(sizeof *a);
	a = xcalloc(n, sizeof *a);
	a = xrealloc(a, n * sizeof *a);
	a = prefixed(sizeof *a);
	a = sloppy(sizeof *a);
	a = arena_get(a, *argv, sizeof *a);
	a = by_value((struct pair){1, 2}, sizeof *a);
	a = usable(sizeof *a, &got);
	a = callback(0, RED, sizeof *a);
	a = unnamed(0, sizeof *a);
	a = listed(a);
	a = longer(sizeof *a);
	a = inlined(sizeof *a);
	use(xmalloc(n));
	use(string_new("", n));
	a = in_header(sizeof *a);
	return !a;
}
END
cat >p/sub/other.c <<'END'
#include "../wrap.h"
void *other(void) { return in_header(sizeof(int)); }
static void *xmalloc_(size_t n) { return xmalloc(n); }
int *more(void) { return xmalloc_(sizeof(int)); }
END
cat >p/Makefile <<'END'
CFLAGS = -O2 -Werror -Wall
prog: main.o wrap.o sub/other.o
	$(CC) $(CFLAGS) -o $@ $^
%.o: %.c
	$(CC) $(CFLAGS) $(MORE) -MD -MF $*.d -c -o $@ $<
bad: main.o
	false
clean:
	rm -f prog *.o *.d sub/*.o sub/*.d
END

# Over a build: nothing of the user's is touched, flags that only gcc knows do not matter, the build goes on by itself.
cd p
expect 0 "$cover" --clang="$clang" --json=../out.json --wrap ../w.h -- make -j2 MORE='-fno-tree-slsr -flto=auto'
./prog || fail 'the program was not built as it should be'
{ grep -q '^main\.o:' main.d && grep -q 'wrap\.h' main.d; } || fail 'main.d was overwritten'
nm main.o | grep -q __alloc_token && fail 'the analysis wrote the user'\''s object'
equal 'files left' "$(find . -newer Makefile -type f | sort | tr '\n' ' ')" \
    './main.d ./main.o ./prog ./sub/other.d ./sub/other.o ./wrap.d ./wrap.o '
says ' *main.c:10:6: malloc in main: no sizeof in the arguments and no cast'
says ' *main.c:11:14: malloc in main: cast to void \*'
says ' *main.c:13:6: xmalloc in main: xmalloc is a wrapper; wrapped, it gets one'
says ' *main.c:26:6: xmalloc in main: xmalloc is a wrapper, and no sizeof and no cast here'
says ' *main.c:28:6: in_header in main: in_header is a wrapper that cannot be wrapped'
says ' *wrap.c:20:[0-9]*: malloc in string_new: size is a parameter: string_new looks like a wrapper'
says_not '.* main.c:8:.*'
says ' *[0-9]* *- *in_header (wrap.h:[0-9]*) returns what malloc gave; static'
says '.* base (wrap.c:[0-9]*) returns what malloc gave; static'
says '3 units: .*; .* more inside wrappers take the types of their callers'
cd ..
equal units "$(json 'd["units"]')" 3
# Header-inline functions count once, and each place has the callers as sites.
equal 'calls of in_header' "$(json '[w["calls"] for w in d["wrappers"] if w["function"] == "in_header"]')" '[2]'
equal 'a type' "$(json '[s["type"] for f in d["files"] for s in f["list"] if s["line"] == 8 and f["file"] == "main.c"]')" "['node']"
equal 'wrappers of wrappers' "$(json '[w["returns_result_of"] for w in d["wrappers"] if w["function"] == "xrealloc"]')" \
    "[['realloc', 'xmalloc']]"

# The header: true prototypes and attributes; the rest is named with the reason.
line() { grep -qxF "TYPED_MALLOC_WRAPPER($1)" w.h || { fail "not in the header: $1"; cat w.h; }; }
line 'void *, xmalloc, (size_t n), (n), __alloc_size__(1)'
line 'void *, xcalloc, (size_t n, size_t size), (n, size), __alloc_size__(1, 2)'
line 'void *, xrealloc, (void *p, size_t n), (p, n), __alloc_size__(2)'
line 'void *, prefixed, (size_t n), (n), __alloc_size__(1)'
line 'void *, longer, (size_t n), (n), __malloc__'
line 'void *, arena_get, (struct node *where, const char *name, size_t n), (where, name, n), __alloc_size__(3)'
line 'void *, usable, (size_t n, size_t *got), (n, got), __malloc__'
line 'void *, callback, (void *(*f)(int, const char *const *), unsigned int colour, size_t n), (f, colour, n), __alloc_size__(3)'
left_out() { grep -qx " \* $1" w.h || { fail "not left out: $1"; cat w.h; }; }
left_out 'by_value: .*structure by value'
left_out 'unnamed: its prototype has a structure without a name'
left_out 'in_header: static'
left_out 'base: static'
left_out 'sloppy: its own allocation has the type char'
left_out 'inlined: inline in a header'
left_out 'listed: .*may not be new'
left_out 'string_new: .*'
grep -q 'unused,' w.h && fail 'a wrapper that nothing calls is in the header'
$clang -std=c11 -Wall -Wextra -pedantic -Werror -I"$top/include" -fsanitize=alloc-token -fsanitize-alloc-token-extended -x c -c w.h -o w.o ||
    fail 'the header does not compile alone'
${GCC:-cc} -std=c99 -Wall -Wextra -Werror -fsyntax-only -I"$top/include" -x c w.h || fail 'the header does not compile with cc'

# In force, it does what was foretold, in the symbols of the objects as in typed-cover's own count.
foretold=$(json 'd["with_wrappers"]')
expect 0 "$cover" --clang="$clang" --json=out.json -- make -C p -B MORE="-I$top/include -include $here/w.h"
equal 'what was foretold' "$(json 'd["totals"]')" "$foretold"
$clang -w -I"$top/include" -include w.h -fsanitize=alloc-token -fsanitize-alloc-token-extended -S -emit-llvm -o main.ll p/main.c
equal 'typed sites of main.c' "$(json '[f["typed"] for f in d["files"] if f["file"] == "p/main.c"][0]')" \
    "$(grep -c 'call .*@__alloc_token_.*!alloc_token' main.ll | awk '{print $1 - 1}')" # one is the cast to void *
equal 'state of xmalloc' "$(json '[w["state"] for w in d["wrappers"] if w["function"] == "xmalloc"]')" "['wrapped']"
# Sites through the macros of the library's header.
expect 0 "$cover" --clang="$clang" --json=out.json -- \
    make -C p -B main.o wrap.o MORE="-Wno-error -I$top/include -include typed_malloc.h -DTYPED_MALLOC_REPLACE"
equal 'through typed_malloc' "$(json '[(s["line"], s["callee"], not s["reason"]) for f in d["files"] if f["file"] == "p/main.c"
    for s in f["list"] if s["line"] in (8, 10)]')" \
    "[(8, 'malloc', True), (10, 'malloc', False)]"

# compile_commands.json, with arguments or a command, a response file, and a file that does not compile.
echo '-DX=malloc(n) -I.' >p/flags
cat >p/only.c <<'END'
#include "wrap.h"
#include <stdlib.h>
void *only(size_t n) { int *p = X; return p; }
END
echo 'int f(' >p/broken.c
cat >compile_commands.json <<END
[{"directory": "$here/p", "file": "only.c", "arguments": ["/usr/bin/gcc-99", "-c", "@flags", "-o", "only.o", "only.c"]},
 {"directory": "$here/p", "file": "broken.c", "command": "ccache gcc -Wp,-MD,x.d -O2 -c broken.c"},
 {"directory": "$here/p", "file": "x.S", "command": "gcc -c x.S"}]
END
expect 0 "$cover" --clang="$clang" --json=- compile_commands.json
cp out out.json
equal 'typed in only.c' "$(json '[(f["file"], f["typed"], f["sites"]) for f in d["files"]]')" "[('p/only.c', 1, 1)]"
equal 'failed' "$(json '[f["file"] for f in d["failed"]]')" "['p/broken.c']"
[ ! -e p/only.o ] && [ ! -e p/x.d ] || fail 'outputs of a compile_commands.json were written'

# C++: new and a template, once however often it is compiled.
if command -v c++ >/dev/null; then
    cat >new.cc <<'END'
struct thing { thing *next; };
template <class T> T *make() { return new T; }
void *raw(unsigned long n) { return ::operator new(n); }
void *all[] = {make<int>(), make<thing>(), new char[7], raw(9)};
void *never = ::operator new(sizeof(all) / 7 % 9);
END
    expect 0 "$cover" --clang="$clang" -- c++ -c new.cc
    says '    4      2    50 %  new.cc'
    says '.* new.cc:4:.*: raw in .*: raw is a wrapper that cannot be wrapped'
    says '.* new.cc:5:.*: operator new in .*: called as a function, no sizeof and no cast'
    says '.* raw (new.cc:3) .*; C++ linkage'
fi

# Compilers that the command names, and ones behind a launcher.
cat >ccache <<'END'
#!/bin/sh
exec "$@"
END
chmod +x ccache
absolute=$(command -v cc)
expect 0 "$cover" --clang="$clang" -- make -C p -B CC="$absolute -pipe"
says '3 units: .*'
expect 0 env CC="$here/ccache cc" "$cover" --clang="$clang" -- make -C p -B -e
says '3 units: .*'
expect 0 env PATH="$here:$PATH" CC='ccache cc' "$cover" --clang="$clang" -- make -C p -B -e
says '3 units: .*'

# Ends.
expect 2 "$cover" --clang="$clang" -- make -C p -B bad
says '1 units: .*'
grep -qx 'typed-cover: make: failed with status 2' err || fail 'a failed build is not said to have failed'
expect 7 "$cover" --clang="$clang" -- sh -c 'exit 7'
expect 1 "$cover" --clang="$clang" --fail-under 99 -- make -C p -B
expect 0 "$cover" --clang="$clang" --fail-under=1 -- make -C p -B
refuse 2 'give either .-- COMMAND. or a compile_commands.json; see typed-cover --help'
refuse 2 'give either .*' compile_commands.json -- make
refuse 2 'unrecognized arguments: --colour; see typed-cover --help' --colour -- make
refuse 2 'argument --fail-under: invalid float value: .x.; see typed-cover --help' --fail-under=x -- make
for percent in -1 101 nan; do refuse 2 "bad percentage \"$percent\": it is 0 to 100" --fail-under=$percent -- make; done
refuse 2 'nosuch: No such file or directory' --clang="$clang" nosuch
# A gate must not pass because there was nothing to look at.
printf '[{"file": "x.c", "directory": "/nonexistent", "command": "cc -c x.c"}]' >none.json
expect 2 "$cover" --clang="$clang" --fail-under=100 none.json
grep -qx 'typed-cover: none of the units could be analysed' err || fail "a gate without units: $(cat err)"
expect 0 "$cover" --clang="$clang" none.json
refuse 2 'w.h: not a compile_commands.json' --clang="$clang" w.h
refuse 2 'nosuch: no such compiler' --clang=nosuch -- make
refuse 2 "$here/ccache: has no -fsanitize=alloc-token; clang 22 and newer have" --clang="$here/ccache" -- make
refuse 2 'nosuch: No such file or directory' --clang="$clang" -- nosuch
refuse 2 'no compile of a C or C++ file was seen; see typed-cover(1), LIMITS' --clang="$clang" -- true
refuse 2 '/nowhere/w.h: No such file or directory' --clang="$clang" --wrap=/nowhere/w.h compile_commands.json
expect 0 "$cover" --help
says 'usage: typed-cover .*'
expect 0 "$cover" --version
says "typed-cover (typed_malloc) $(sed -n 's/^AC_INIT(\[typed_malloc\], \[\(.*\)\])/\1/p' "$top/configure.ac")"

[ $failed = 0 ] && echo 'typed-cover: all as it should be'
exit $failed
