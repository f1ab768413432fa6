#!/bin/sh
# The header with every compiler that is here, in every standard, without and with optimisation, and with warnings as errors: two
# units make a program (header_matrix.c, .cc), which checks types and tokens. Then units of two compilers in one program,
# and what the header has to refuse.
. "${srcdir:-.}/tests/compile.sh"
warn='-Wall -Wextra -Wpedantic -Werror'

# flags_of COMPILER: what this one needs more.
flags_of() {
    case $1 in
    *clang*) echo -Wdocumentation ;;
    esac
}
# object OUTPUT COMPILER UNIT SOURCE FLAG...
object() {
    o_out=$1 o_cc=$2 o_unit=$3 o_source=$4
    shift 4
    [ "$o_unit" = 2 ] && set -- "$@" -include typed_malloc.h -DTYPED_MALLOC_REPLACE
    try "$o_cc unit $o_unit $o_source $*" "$o_cc" $common $warn $(flags_of "$o_cc") -DUNIT=$o_unit "$@" -c -o "$o_out" \
        "$here/$o_source"
}
must_of() {
    case $1 in
    "$clang" | "$clangxx") echo -DMUST_HAVE_TOKENS ;;
    esac
}
programs=0 jobs=
# program COMPILER SOURCE FLAG...: its two units, and a run.
program() {
    cc=$1 source=$2
    shift 2
    programs=$((programs + 1))
    object "$tmp/1.o" "$cc" 1 $source "$@" $(must_of "$cc") && object "$tmp/2.o" "$cc" 2 $source "$@" &&
        try "link $cc $*" "$cc" -o "$tmp/p" "$tmp/1.o" "$tmp/2.o" $link && try "run: $cc $source $*" "$tmp/p"
}

c_compilers= cxx_compilers=
for v in 29 28 27 26 25 24 23 22 21 20 19 18 17 16 15 14; do
    works clang-$v && c_compilers="$c_compilers clang-$v"
    works clang++-$v -x c++ && cxx_compilers="$cxx_compilers clang++-$v"
done
for v in 17 16 15 14 13 12 11 10; do
    works gcc-$v && c_compilers="$c_compilers gcc-$v"
    works g++-$v -x c++ && cxx_compilers="$cxx_compilers g++-$v"
done
[ -n "$c_compilers" ] || { works "${CC%% *}" && c_compilers=${CC%% *}; }
[ -n "$c_compilers" ] || { echo "no C compiler"; exit 77; }

# matrix LANGUAGE SOURCE COMPILERS STANDARDS
matrix() {
    language=$1 m_source=$2
    for m_cc in $3; do
        for std in $4; do
            works $m_cc -x $language -std=$std || continue
            case $std in
            c2x) works $m_cc -std=c23 && continue ;;
            c++2b) works $m_cc -x c++ -std=c++23 && continue ;;
            esac
            for opt in -O0 -O2; do
                program $m_cc $m_source -std=$std $opt
            done
        done
    done
}
# Units of two compilers share each type's memory.
# pairs SOURCE FLAG NEWEST COMPILER...
pairs() {
    source=$1 flag=$2 newest=$3
    shift 3
    for other; do
        [ "$other" != "$newest" ] || continue
        for order in "$newest $other" "$other $newest"; do
            first=${order% *} second=${order#* }
            programs=$((programs + 1))
            object "$tmp/1.o" $first 1 $source $flag -O2 && object "$tmp/2.o" $second 2 $source $flag -O2 &&
                try "link $order" $first -o "$tmp/p" "$tmp/1.o" "$tmp/2.o" $link && try "run: $order $source" "$tmp/p"
        done
    done
}
# all_of c|c++: the programs of one language.
all_of() {
    if [ $1 = c ]; then
        matrix c header_matrix.c "$c_compilers" 'c11 c17 c23 c2x'
        [ -z "$clang" ] || pairs header_matrix.c -std=c17 $clang $c_compilers
        return
    fi
    matrix c++ header_matrix.cc "$cxx_compilers" 'c++11 c++14 c++17 c++20 c++23 c++2b c++26'
    [ -n "$clangxx" ] || return
    pairs header_matrix.cc -std=c++17 $clangxx $cxx_compilers
    # And units of the two languages.
    for c in $c_compilers; do
        programs=$((programs + 1))
        object "$tmp/1.o" $clangxx 1 header_matrix.cc -std=c++17 -O2 && object "$tmp/2.o" $c 2 header_matrix.c -std=c17 -O2 &&
            try "link $clangxx and $c" $clangxx -o "$tmp/p" "$tmp/1.o" "$tmp/2.o" $link && try "run: $clangxx and $c" "$tmp/p"
    done
}
# The languages side by side, for the time it takes.
for language in c c++; do
    mkdir "$tmp/$language"
    (
        trap - EXIT
        tmp=$tmp/$language
        all_of $language
        echo "$language: $programs programs"
        exit $failed
    ) >"$tmp/$language.out" 2>&1 &
    jobs="$jobs $!"
done
for job in $jobs; do
    wait $job || failed=1
done
cat "$tmp/c.out" "$tmp/c++.out"

# Token modes that the library would misread are refused, in C and in C++, with a sentence that says why.
if [ -n "$clang" ]; then
    echo '#include "typed_malloc.h"' >"$tmp/empty.c"
    sentence="typed_malloc.h needs clang's default allocation-token mode and no -falloc-token-max"
    for language in '-x c -std=c11' '-x c -std=c23' '-x c++ -std=c++11' '-x c++ -std=c++23'; do
        for mode in -falloc-token-max=16 '-Xclang -falloc-token-mode=increment' '-Xclang -falloc-token-mode=random' \
            '-Xclang -falloc-token-mode=typehash'; do
            refused "$sentence" $clang $language $mode "$tmp/empty.c"
            refused "$sentence" $clang $language $mode -fsanitize=alloc-token "$tmp/empty.c"
        done
        try "default mode $language" $clang $common $language -Werror -c -o "$tmp/empty.o" "$tmp/empty.c"
    done
fi

# The header before any of libc's, where nothing silences what an old standard does not have.
echo '#include "typed_malloc.h"' >"$tmp/alone.c"
for cc in $c_compilers; do
    for std in c99 gnu99 c11; do
        try "alone, $cc -std=$std" $cc $common $warn -Werror -std=$std -c -o "$tmp/alone.o" "$tmp/alone.c"
    done
done

# The functions alone: no macro is left.
printf '%s\n' '#define TYPED_MALLOC_NO_MACROS' '#include "typed_malloc.h"' '#if defined typed_malloc || defined TYPED_MALLOC_TOKEN' \
    '#error' '#endif' 'void *f(void);' 'void *f(void) { return typed_malloc_token_fixed(10, 0); }' >"$tmp/functions.c"
for cc in $c_compilers; do
    try "functions alone, $cc" $cc $common $warn -std=c11 -c -o "$tmp/functions.o" "$tmp/functions.c"
done
conclude header_matrix
