#!/bin/sh
# What is said before the process ends, where, and that it ends: options report, report_fd and core, the hook, handlers of
# SIGABRT, threads at once, small stacks, standard error that is no more what it was.
. "${srcdir:-.}/tests/said.sh"
program=report_program

callers='(<[^ ,]+)*' # as far as they count
# $pid and $sentence of the last crime named in out: what follows "typed_malloc: PROGRAM[PID] ".
criminal() {
    set -- $(sed -n 's/^crime //p' out | tail -n 1)
    pid=$1
    sentence="free\\(\\): double free of $2 \\(call site 0x[0-9a-f]+ $program\\+0x[0-9a-f]+$callers, [0-9]+-byte cache\\)"
}
# said FILE: it holds the line of the crime and nothing else.
said() {
    criminal
    [ "$(wc -l <"$1")" = 1 ] && grep -qxE "typed_malloc: $program\\[$pid\\] $sentence" "$1"
}
# aborts WHAT ARGUMENT...: with the line on standard error.
aborts() {
    run "$@"
    [ $status = 134 ] && said err && ! grep -q '^survived$' out || fail "options \"$1\": $*: exit $status"
}

# ---- the line ----
aborts '' plain
make=$(sed -n 's/^make //p' out)
site=$(sed -E 's/.* report_program\+(0x[0-9a-f]+).*/\1/' err)
[ $(($site - $make)) -gt 0 ] && [ $(($site - $make)) -lt 200 ] || fail "call site $site is not in make() at $make"
run '' libc
set -- $(sed -n 's/^crime //p' out)
grep -qxE "typed_malloc: report_program\\[$1\\] free\\(\\): double free of $2 \\(call site 0x[0-9a-f]+ libc\\.so\\.6\\+0x[0-9a-f]+$callers, [0-9]+-byte cache\\)" err ||
    fail "a call site in libc is not named"
ln -s "$dir/report_program" "$(printf 'a\nb')"
env LD_PRELOAD="$lib" "./$(printf 'a\nb')" plain >out 2>err
quiet_shell
[ "$(wc -l <err)" = 1 ] && grep -q '^typed_malloc: a?b\[[0-9]*\] free(): .* a?b+0x' err || fail "a name with a newline"

# ---- SIGABRT: blocked, ignored, handlers that return, allocate, jump, misuse ----
aborts '' blocked
aborts '' ignored
for where in handler handler_stack; do
    aborts '' $where return
    grep -q '^handler returns$' out || fail "$where: was not run"
    aborts '' $where malloc
    grep -q '^handler returns$' out || fail "$where: cannot allocate"
    aborts '' $where jump
    grep -q '^jumped$' out || fail "$where: did not jump"
    run '' $where crime
    [ $status = 134 ] && [ "$(grep -c ': double free of ' err)" = 2 ] && [ "$(grep -c '^handler$' out)" = 1 ] ||
        fail "$where with a crime: exit $status"
done

# ---- where a crime may happen ----
aborts '' in_handler
aborts '' in_handler_stack 8192
aborts '' small_stack
run '' nothing
[ $status = 0 ] && [ ! -s err ] && grep -q '^survived$' out || fail "row 0: no crime, but exit $status"
run '' broken_pipe
[ $status = 134 ] || fail "standard error without a reader: exit $status"
if unshare -rpf true 2>/dev/null; then # the first process of a container: no signal ends it
    { env TYPED_MALLOC_OPTIONS= unshare -rpf env LD_PRELOAD="$lib" "$dir/report_program" plain >out 2>err; } 2>/dev/null
    status=$?
    quiet_shell
    [ $status != 0 ] && grep -q '^typed_malloc: report_program\[1\] free(): double free of ' err && ! grep -q '^survived$' out ||
        fail "process 1: exit $status"
fi

# ---- many threads ----
for i in 1 2 3 4 5 6 7 8 9 10; do
    run '' race 8
    [ $status = 134 ] && [ "$(wc -l <err)" = 1 ] &&
        grep -qxE "typed_malloc: report_program\\[[0-9]+\\] free\\(\\): double free of 0x[0-9a-f]+ \\(call site 0x[0-9a-f]+ report_program\\+0x[0-9a-f]+$callers, [0-9]+-byte cache\\)" err ||
        fail "eight threads: exit $status"
done
run '' stuck
[ $status = 134 ] && [ "$(grep -c ': double free of ' err)" = 2 ] || fail "another thread never ends: exit $status"
run '' forked
[ $status = 42 ] || fail "forked while another thread reports: exit $status"

# ---- standard error ----
run '' replaced closed
[ $status = 134 ] || fail "closed: exit $status"
run '' replaced socket
sleep 0.2
[ $status = 134 ] && grep -qx 'read none' out || fail "written to a socket that took its place: exit $status"
run '' replaced database
[ $status = 134 ] && [ ! -s replaced ] || fail "written to a file that took its place: exit $status"
run '' replaced log
[ $status = 134 ] && said replaced || fail "not written to a new log: exit $status"
run '' replaced append
[ $status = 134 ] && said replaced || fail "not written to a log opened for appending: exit $status"
run '' no_fstat
[ $status = 77 ] || { [ $status = 134 ] && said err; } || fail "fstat refused: exit $status"

# ---- options report and report_fd ----
aborts report=stderr plain
run report=none plain
[ $status = 134 ] && [ ! -s err ] || fail "report=none: exit $status"
run report=none:nonsense=1 nothing
[ $status = 0 ] && [ ! -s err ] || fail "report=none is not silent about options"
aborts report_fd=3 plain 3>third
said third || fail "report_fd=3: not there: $(cat third)"
aborts report_fd=3 closed_3 3>third
said third || fail "report_fd=3, closed: not there: $(cat third)"
aborts report_fd=3 fd 3>third
[ ! -s third ] && [ ! -s other ] || fail "report_fd=3: written to another file"
(ulimit -n 100 && run report_fd=3 plain 3>third && [ $status = 134 ] && said third) || fail "report_fd=3 with few descriptors"
run report=none:report_fd=3 plain 3>third
[ $status = 134 ] && [ ! -s err ] && said third || fail "report=none:report_fd=3: exit $status"
aborts report_fd=2 plain
aborts report_fd=77 plain
for option in report=maybe report= report report=Stderr report_fd= report_fd=-1 report_fd=3x report_fd=99999999999 core=2 core= core=yes core; do
    run $option nothing
    key=${option%%=*} value=
    case $option in *=*) value=${option#*=} ;; esac
    sed -E 's/\[[0-9]+\]/[PID]/' err >got
    echo "typed_malloc: report_program[PID] option: bad value \"$value\" for option \"$key\"" | cmp -s - got && [ $status = 0 ] ||
        fail "$option: exit $status"
done

# ---- syslog ----
run report=both no_socket
[ $status = 77 ] || { [ $status = 134 ] && said err; } || fail "report=both, socket refused: exit $status"
run report=both no_socket kill
[ $status = 77 ] || { [ $status = 159 ] && said err; } || fail "report=both, killed for socket: exit $status"
become=
unshare -r true 2>/dev/null && become='unshare -r'
mkdir -p root/dev
for file in $(ldd "$dir/report_program" "$lib" | grep -o '/[^ )]*' | grep -v ':$' | sort -u); do
    mkdir -p "root${file%/*}" && cp -L "$file" "root$file"
done
cp "$lib" root/libtyped_malloc.so && cp "$dir/report_program" root/report_program
# through KIND OPTION: what arrives at /dev/log of a chroot, in the file log.
through() {
    rm -f root/dev/log
    (cd root/dev && exec "$dir/report_program" "$1" log >../../log 2>../../ready) &
    listener=$!
    while ! [ -s ready ] && kill -0 $listener 2>/dev/null; do sleep 0.05; done
    { LD_PRELOAD=/libtyped_malloc.so TZ=XYZ-3 TYPED_MALLOC_OPTIONS="report=$2" $become chroot root /report_program plain >out 2>err; } 2>/dev/null
    status=$?
    quiet_shell
    wait $listener
    rm -f ready
}
if LD_PRELOAD=/libtyped_malloc.so $become chroot root /report_program nothing >out 2>/dev/null; then
    for kind in listen listen_stream; do
        before=$(TZ=XYZ-3 date '+%b %e %H:%M')
        through $kind both
        after=$(TZ=XYZ-3 date '+%b %e %H:%M')
        [ $status = 134 ] && said err || fail "report=both: exit $status"
        criminal
        grep -qxE "<26>($before|$after):[0-5][0-9] report_program\\[$pid\\]: typed_malloc: $sentence" log || fail "report=both, $kind: /dev/log got \"$(cat log)\""
    done
    through listen syslog
    [ $status = 134 ] && [ ! -s err ] && grep -q 'typed_malloc: free()' log || fail "report=syslog: exit $status: \"$(cat log)\""
    rm root/dev/log
    { LD_PRELOAD=/libtyped_malloc.so TYPED_MALLOC_OPTIONS=report=both $become chroot root /report_program plain >out 2>err; } 2>/dev/null
    quiet_shell
    said err || fail "report=both without /dev/log"
else
    echo "no chroot: syslog is not tested"
fi

# ---- the hook ----
program=report_hook
# hooked ARGUMENT...: it got the line that was printed.
hooked() {
    aborts '' "$@"
    sed -n 's/^hook: //p' out | cmp -s - err || fail "$*: the hook did not get the line"
}
hooked hook
hooked hook malloc
grep -q '^allocated$' out || fail "the hook cannot allocate"
hooked jump
grep -q '^jumped$' out || fail "the hook did not jump"
hooked handler return
hooked small_stack
run '' hook crime
[ $status = 134 ] && [ "$(grep -c ': double free of ' err)" = 2 ] && [ "$(grep -c '^hook: ' out)" = 1 ] || fail "a crime in the hook: exit $status"
run '' overwrite
[ $status = 139 ] && ! grep -q '^survived$' out || fail "the hook can be overwritten: exit $status"
program=report_program

# ---- core dumps ----
if [ "$(ulimit -H -c)" = unlimited ] && [ "$(cat /proc/sys/kernel/core_pattern)" = core ]; then
    aborts '' core
    ls | grep -q '^core' && fail "a core dump without being asked"
    aborts core=0 core
    ls | grep -q '^core' && fail "core=0 dumps core"
    aborts core=1 core
    core=$(ls | grep '^core' | head -n 1)
    [ -n "$core" ] && grep -q 'a small object of 1' "$core" && grep -q 'a large object of 1' "$core" || fail "core=1: no core dump with the heap"
    [ "$(du -k "$core" | cut -f 1)" -lt 40000 ] || fail "core=1: $(ls -ls "$core")"
    rm -f core*
else
    echo "core dumps go elsewhere here: not tested"
fi
[ $failed = 0 ] && echo "report: passed"
exit $failed
