# What the scripts share that compare, word by word, what the library says of a program's end. Sourced; leaves the shell in an empty
# directory that goes at the end. The script sets $program, and `failed` is its exit status.
lib=${TYPED_MALLOC_LIB:?is not set}
dir=$(cd "${TESTS_DIR:-tests}" && pwd)
tmp=$(mktemp -d) || exit 99
trap 'rm -rf "$tmp"' EXIT
cd "$tmp" || exit 99
ulimit -S -c 0
failed=0
fail() {
    echo "FAIL: $*"
    sed 's/^/      stderr: /' err
    sed 's/^/      stdout: /' out
    failed=1
}

# What the shell itself says of a death goes to the same file, and what ld.so says outside a chroot.
quiet_shell() { sed -i -E '/^ERROR: ld.so: |^(Aborted|Segmentation fault|Bad system call|Illegal instruction)( \(core dumped\))? *$/d' err; }

# run OPTIONS ARGUMENT...: leaves $status, out and err.
run() {
    options=partition=typed:untyped=callsite${1:+:$1}
    shift
    { env LD_PRELOAD="$lib" TYPED_MALLOC_OPTIONS="$options" "$dir/$program" "$@" >out 2>err; } 2>/dev/null
    status=$?
    quiet_shell
}
