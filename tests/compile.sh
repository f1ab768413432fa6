# Sourced by the scripts that compile programs of their own, as a user would: against the header and the built library.
lib=${TYPED_MALLOC_LIB:?is not set}
src=${srcdir:-.}
here=$src/tests
tmp=$(mktemp -d) || exit 99
trap 'rm -rf "$tmp"' EXIT
ulimit -c 0
failed=0
common="-I$src/include -I$here"
link="-L${lib%/*} -ltyped_malloc -Wl,-rpath,${lib%/*} -pthread"
# The library may have been configured with other defaults.
TYPED_MALLOC_OPTIONS=partition=typed:untyped=callsite:sample=0
export TYPED_MALLOC_OPTIONS

fail() {
    echo "FAIL: $*"
    [ -s "$tmp/log" ] && head -n 20 "$tmp/log" | sed 's/^/      /'
    failed=1
}

# works COMPILER FLAG...: it compiles an empty program (C, or C++ if told by -x c++).
works() {
    cc=$1
    shift
    command -v "$cc" >/dev/null && echo 'int main(void) { return 0; }' >"$tmp/works.c" &&
        "$cc" "$@" -c -o "$tmp/works.o" "$tmp/works.c" >/dev/null 2>&1
}

# The newest clang that infers tokens (22 and later), and its C++ side; empty: there is none.
clang= clangxx=
for v in 29 28 27 26 25 24 23 22; do
    [ -z "$clang" ] && works clang-$v -fsanitize=alloc-token && clang=clang-$v
done
[ -z "$clang" ] && works clang -fsanitize=alloc-token && clang=clang
[ -n "$clang" ] && clangxx=clang++${clang#clang}
command -v "$clangxx" >/dev/null || clangxx=

# try NAME COMMAND...: the command succeeds, or the test has failed. Its output is in $tmp/log.
try() {
    name=$1
    shift
    "$@" >"$tmp/log" 2>&1 && return 0
    fail "$name (exit $?)"
    return 1
}

# build OUTPUT COMPILER FLAG-OR-FILE...: a program that is linked with the library.
build() {
    out=$1 cc=$2
    shift 2
    try "$cc $*" "$cc" $common -o "$out" "$@" $link
}

# refused SENTENCE COMPILER FLAG-OR-FILE...: this does not compile, and the compiler says the sentence.
refused() {
    sentence=$1
    shift
    if "$@" $common -o "$tmp/refused" -c >"$tmp/log" 2>&1; then
        fail "is compiled: $*"
    else
        grep -qF "$sentence" "$tmp/log" || fail "is refused without \"$sentence\": $*"
    fi
}

# To be the last line: the end of the test.
conclude() {
    [ $failed = 0 ] && echo "$1: passed"
    exit $failed
}
