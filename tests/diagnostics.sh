#!/bin/sh
# Every sentence that the library can print has an entry under DIAGNOSTICS in typed_malloc.7 or typed_malloc_mem.7. Sentences are
# found in the source: what is given to the functions that print them, and what looks like the beginning of one.
dir=${srcdir:-.}/lib
tmp=$(mktemp -d) || exit 99
trap 'rm -rf "$tmp"' EXIT

# Statement by statement: the strings in calls of those functions, other strings of several words that end in "of" or "at", and
# the beginnings of warnings. Function names, the other strings in such calls, are one word.
cat "$dir"/*.c "$dir"/*.h | awk '
{
    sub(/\/\/.*/, "")
    sub(/^[ \t]*\/?\*.*/, "") # comments
    text = text " " $0
    if ($0 !~ /[;{}]/ && $0 !~ /^#define TY_[A-Z_]* "/) next
    call = text ~ /(^|[^a-z_])(ty_die|ty_cache_die|ty_cache_die_for|ty_cache_die_at|ty_cache_die_mismatch|die_[a-z_]+|ty_warn)\(/
    gsub(/\\"/, "", text)
    n = split(text, part, "\"")
    for (i = 2; i <= n; i += 2) {
        s = part[i]
        sub(/ +$/, "", s)
        if (s ~ / / && (call || s ~ /^[a-z][a-z\[\] ]* (of|at)$/ || s ~ /^((option|start|stats): |access )/)) print s
    }
    text = ""
}' | sort -u >"$tmp/sentences"

# The entries, one a line, without markup.
for page in typed_malloc.7 typed_malloc_mem.7; do
    awk '
        /^\.Sh / { on = $2 == "DIAGNOSTICS" }
        /^\.Xc/ { several = 0 }
        on && (/^\.It / || several && /^\.Sy /)
        on && /^\.It Xo/ { several = 1 }' "$dir/$page"
done | sed -e 's/^\.It //' -e 's/^\.Sy //' -e 's/ ,$//' -e 's/"//g' -e 's/\\(dq//g' -e 's/^FUNCTION(): //' \
    -e ':a' -e 's/\(^\| \)\(Sy\|Ar\|Qq\|Qo\|Qc\|No\|Ns\|Li\|Fn\|Cm\|Sq\) /\1/' -e 'ta' -e 's/ , /\
/g' >"$tmp/entries"

failed=0
while read -r sentence; do
    pattern=$(printf '%s' "$sentence" | sed 's/[].[*]/\\&/g')
    grep -qiE "^$pattern($| (address|n|key|value|file)( |$))" "$tmp/entries" || {
        echo "diagnostics: not explained in the manual: $sentence"
        failed=1
    }
done <"$tmp/sentences"

# Every option of conf.c has an entry, too.
options=$(sed -n -e 's/^\t{"\([a-z_]*\)", offsetof.*/\1/p' -e 's/.*ty_same(key, "\([a-z_]*\)").*/\1/p' "$dir/conf.c")
for option in ${options:-none}; do
    grep -qE "^\.It Cm $option Ns =" "$dir/typed_malloc_options.7" || {
        echo "diagnostics: option not explained in the manual: $option"
        failed=1
    }
done
[ "$(echo "$options" | wc -w)" -ge 21 ] || {
    echo "diagnostics: only these options found in conf.c: $options"
    failed=1
}

# This file would also pass if it found nothing.
for known in 'double free of' 'overflow of' 'underflow of' 'write after free at' 'foreign pointer' 'wrong size' 'not a cache:' \
    'lost its address space at' 'no live object at' 'option: unknown option' 'stats: cannot open' 'access behind'; do
    grep -qxF "$known" "$tmp/sentences" || {
        echo "diagnostics: not found in the source: $known"
        failed=1
    }
done
echo "diagnostics: $(wc -l <"$tmp/sentences") sentences, $([ $failed = 0 ] && echo all || echo not all) explained"
exit $failed
