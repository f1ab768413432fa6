#!/bin/bash
# Address, memory, thread and leak sanitizer with the header (all of malloc's names replaced) and with clang's pass: a planted bug of each
# one's kind (sanitizers.c) is told with its line, and the right program ends well and says nothing.
. "${srcdir:-.}/tests/compile.sh"
unset TYPED_MALLOC_OPTIONS
[ -n "$clang" ] || { echo 'no clang that infers types: 22 or later is needed'; exit 77; }
echo 'int main(void) { return 0; }' >"$tmp/empty.c"
source=$here/sanitizers.c

# sanitizer NAME SENTENCE BUG...
sanitizer() {
    kind=$1 sentence=$2
    shift 2
    if ! $clang -fsanitize="$kind" -o "$tmp/empty" "$tmp/empty.c" >"$tmp/log" 2>&1 || ! "$tmp/empty" >"$tmp/log" 2>&1; then
        echo "$kind sanitizer: not here"
        return
    fi
    for way in '-include typed_malloc.h -DTYPED_MALLOC_REPLACE' '-fsanitize=alloc-token'; do
        case $way in -fsanitize*) works $clang "-fsanitize=$kind" "$way" || continue ;; esac # clang has both for thread and leak only
        build "$tmp/planted" $clang -g -O1 -fno-inline -fno-builtin -fno-optimize-sibling-calls -fsanitize="$kind" $way "$source" || continue
        try "$kind, $way: the right program" "$tmp/planted"
        [ -s "$tmp/log" ] && fail "$kind, $way: the right program is not silent"
        for bug; do
            line=$(grep -nE "/\* (at|from) $bug \*/" "$source" | cut -d: -f1)
            "$tmp/planted" "$bug" >"$tmp/log" 2>&1
            rc=$?
            [ $rc != 0 ] && grep -q "$sentence" "$tmp/log" && grep -q "sanitizers.c:$line" "$tmp/log" ||
                fail "$kind, $way, $bug: \"$sentence\" with line $line is not said (exit $rc)"
        done
    done
}

sanitizer address 'AddressSanitizer: heap-buffer-overflow' overflow cache
sanitizer address 'AddressSanitizer: heap-use-after-free' use
sanitizer address 'AddressSanitizer: attempting double-free' double
sanitizer memory 'MemorySanitizer: use-of-uninitialized-value' uninitialised
sanitizer thread 'ThreadSanitizer: data race' race
sanitizer leak 'LeakSanitizer: detected memory leaks' leak
sanitizer address 'LeakSanitizer: detected memory leaks' leak
conclude 'sanitizers'
