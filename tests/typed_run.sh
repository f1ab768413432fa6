#!/bin/sh
# typed-run: the library is loaded, options arrive by name, arguments stay as they are, and what nothing can be preloaded into is
# refused. CC makes the program that is run.
run=$(cd "${builddir:-.}" && pwd)/tools/typed-run
lib=${TYPED_MALLOC_LIB:?is not set}
tmp=$(mktemp -d) || exit 99
trap 'rm -rf "$tmp"' EXIT
unset TYPED_MALLOC_OPTIONS LD_PRELOAD
cd "$tmp" || exit 99
here=$(pwd -P)
failed=0

# expect STATUS TEXT COMMAND...: exits with STATUS and says, as a whole line on either stream, TEXT (a basic regular expression).
expect() {
    want=$1 text=$2
    shift 2
    "$@" >out 2>&1
    status=$?
    if [ $status != "$want" ] || ! grep -qx "$text" out; then
        echo "FAIL: $*: exit $status, not $want, or no line \"$text\" in:"
        sed 's/^/    /' out
        failed=1
    fi
}
# refuse STATUS TEXT ARGUMENT...: typed-run itself ends with STATUS and the one line TEXT.
refuse() {
    want=$1 text=$2
    shift 2
    expect "$want" "typed-run: $text" "$run" "$@"
    [ "$(wc -l <out)" = 1 ] || { echo "FAIL: more than one line:"; cat out; failed=1; }
}

cat >show.c <<'END'
#include <stdio.h>
#include <stdlib.h>
int main(int argc, char **argv)
{
	const char *options = getenv("TYPED_MALLOC_OPTIONS");
	printf("%s %s", getenv("LD_PRELOAD"), options ? options : "-");
	for (int i = 0; i < argc; i++)
		printf(" [%s]", argv[i]);
	puts("");
	return 7;
}
END
${CC:-cc} show.c -o show || exit 99
cp "$lib" lib.so || exit 99
mem=$(realpath "${lib%/*}/libtyped_malloc_mem.so") || exit 99

# That it is loaded, by its own table, and by name in the process.
expect 0 'typed_malloc statistics: true.*' "$run" --stats -- true
expect 0 '.*/libtyped_malloc\.so' "$run" -- sh -c 'cat /proc/$$/maps'

# Arguments and options.
l=$(realpath "$lib")
expect 7 "$l - \\[./show\\] \\[--stats\\] \\[a b\\] \\[\\]" "$run" ./show --stats 'a b' ''
expect 7 "$l - \\[./show\\] \\[--\\]" "$run" -- ./show --
expect 7 "$l untyped=none:decay_ms=9:max_keys=4:partition=random \\[./show\\]" \
    "$run" --untyped=none --decay-ms 9 -o max_keys=4 --option=partition=random ./show
expect 7 "$l stats=$here/t.%p:decay_ms=2 \\[./show\\]" \
    env TYPED_MALLOC_OPTIONS=decay_ms=1:stats=0 "$run" --stats=t.%p --decay-ms=2 ./show
# All that the library takes is taken, and the library has nothing to say of it.
all='partition=random untyped=none guard=slab report=both decay_ms=1 site_levels=3 max_keys=9 report_fd=2 sweep=1 never_reuse=0
    mismatch=1 quarantine=8 sample=0 faults=0 core=0 valgrind=0 valgrind_zero=2'
expect 7 "$l $(echo $all | tr ' ' :) \\[./show\\]" "$run" $(printf -- '-o %s ' $all) ./show
[ "$(wc -l <out)" = 1 ] || { echo 'FAIL: the library complains:'; cat out; failed=1; }
expect 7 "$l:libc.so.6 - .*" env LD_PRELOAD=libc.so.6 "$run" ./show
expect 7 "$l:$mem - \\[./show\\]" "$run" --checked-memory ./show
expect 7 "$l:$mem:libc.so.6 - .*" env LD_PRELOAD=libc.so.6 "$run" --checked-memory ./show
expect 0 '.*/libtyped_malloc_mem\.so' "$run" --checked-memory -- sh -c 'cat /proc/$$/maps'
expect 7 "$here/lib.so - .*" env TYPED_MALLOC_LIB=./lib.so "$run" ./show
expect 7 "$l - \\[show\\]" env PATH="/nowhere:$here" "$run" show
expect 0 'Usage: .*' "$run" --help
expect 0 'typed-run (typed_malloc) [0-9.]*' "$run" --version

# Bad ones.
refuse 125 'no command given; see typed-run --help' --
refuse 125 'bad value "callsite" for option "partition"' --partition=callsite true
refuse 125 'bad value "typed" for option "untyped"' --untyped=typed true
refuse 125 'bad value "-1" for option "decay_ms"' --decay-ms=-1 true
refuse 125 'bad value "" for option "stats"' --stats= true
refuse 125 'bad value "a:b" for option "stats"' --stats=a:b true
refuse 125 'bad value "yes" for option "stats"' --stats=yes true
refuse 125 'bad value "2" for option "stats"' -o stats=2 true
refuse 125 'bad value "none" for option "guard"' -o guard=none true
refuse 125 'bad value "0" for option "site_levels"' -o site_levels=0 true
refuse 125 'bad value "2" for option "valgrind"' -o valgrind=2 true
refuse 125 'bad value "3" for option "valgrind_zero"' -o valgrind_zero=3 true
refuse 125 'unknown option "colour"' -o colour=1 true
refuse 125 'an option is key=value, not "stats"' -o stats true
expect 125 "typed-run: $here/libtyped_malloc_mem.so: No such file or directory" \
    env TYPED_MALLOC_LIB=./lib.so "$run" --checked-memory ./show
expect 127 'typed-run: nosuch: command not found' env PATH=/usr/bin:/bin "$run" nosuch
refuse 127 ': command not found' -- ''
refuse 126 '/etc/passwd: not an executable file, or no permission' -- /etc/passwd
refuse 126 './: not an executable file, or no permission' -- ./
expect 125 'typed-run: TYPED_MALLOC_LIB: /nowhere: No such file or directory' env TYPED_MALLOC_LIB=/nowhere "$run" true
expect 125 "typed-run: $here/show: not a shared library" env TYPED_MALLOC_LIB=./show "$run" true
expect 125 "typed-run: $mem: not typed_malloc's library" env TYPED_MALLOC_LIB="$mem" "$run" true

# What LD_PRELOAD does nothing for.
ignored='so Linux ignores LD_PRELOAD for it'
cp show suid && chmod 4755 suid && refuse 125 "./suid: is set-user-ID, $ignored" -- ./suid
cp show sgid && chmod 2755 sgid && refuse 125 "./sgid: is set-group-ID, $ignored" -- ./sgid
if cp show caps && setcap cap_net_raw+ep caps 2>/dev/null; then
    refuse 125 "./caps: has file capabilities, $ignored" -- ./caps
fi
refuse_static() {
    static='statically linked, so nothing can be preloaded into it'
    refuse 125 "./$1: $static" -- "./$1"
    printf '#!%s/%s -x\n' "$here" "$1" >direct
    printf '#! %s/direct\n' "$here" >indirect
    printf '#!/usr/bin/env %s\n' "$1" >by-env
    printf '#!/usr/bin/env -S A=1 %s -x\n' "$1" >by-env-S
    chmod +x direct indirect by-env by-env-S
    PATH=$PATH:$here
    for script in direct indirect by-env by-env-S; do
        refuse 125 "./$script runs $here/$1: $static" -- ./$script
    done
}
for how in -static -static-pie; do
    ${CC:-cc} $how show.c -o show$how 2>/dev/null && refuse_static show$how
done
if ${CC:-cc} -m32 show.c -o show32 2>/dev/null; then
    refuse 125 './show32: built for another architecture than the library' -- ./show32
fi

# Scripts that can be run, and one that cannot know.
printf '#!/usr/bin/env -S A=b sh\necho $A $LD_PRELOAD\n' >good
printf 'echo plain $LD_PRELOAD\n' >plain
printf '#!/usr/bin/env -S -i sh\n' >empties
printf '#!/no/such\n' >broken
printf '#!%s/loop\n' "$here" >loop
chmod +x good plain empties broken loop
expect 0 "b $l" "$run" ./good
expect 0 "plain $l" "$run" ./plain
refuse 125 './empties: its first line has env remove LD_PRELOAD (-i)' -- ./empties
refuse 126 './broken: its interpreter "/no/such" cannot be executed' -- ./broken
refuse 126 "./loop runs $here/loop: too many interpreters of interpreters" -- ./loop

[ $failed = 0 ] && echo 'typed-run: all as it should be'
exit $failed
