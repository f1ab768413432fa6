#!/bin/sh
# The library on older kernels: without guards, seals, mremap's flag and so on, from its start. What the programs check for themselves
# has to hold there too.
lib=${TYPED_MALLOC_LIB:?is not set}
dir=${TESTS_DIR:-tests}
failed=0
ulimit -c 0
"$dir/limits_kernel" guards true
[ $? = 77 ] && exit 77

# on KERNEL OPTIONS PROGRAM ARG...
on() {
    kernel=$1 options=$2 program=$3
    shift 3
    out=$("$dir/limits_kernel" "$kernel" env LD_PRELOAD="$lib" TYPED_MALLOC_OPTIONS="$options" "$dir/$program" "$@" 2>&1)
    status=$?
    [ $status = 0 ] || {
        echo "FAIL: without $kernel: options \"$options\": $program $*: exit $status"
        echo "$out" | tail -n 20
        failed=1
    }
}
out=$("$dir/limits_kernel" guards "$dir/limits_use" small 1 2>&1)
[ $? = 90 ] || { echo "FAIL: runs without the library: $out"; exit 1; }

old=guards,locked,cold,wipe,dontunmap,noreplace,mseal,getrandom
for kernel in guards $old madvise mremap noreplace,prlimit pretended; do
    for program in conform_malloc conform_aligned conform_life; do on "$kernel" sample=1 $program; done
    on "$kernel" sample=0 oracle
    for kind in medium large huge; do on "$kernel" sample=0 limits_use $kind 100; done
    [ $kernel = madvise ] && continue # nothing goes back to the system, which stress looks at
    on "$kernel" decay_ms=0:sample=0 stress --threads 4 --ops 20000 --seed 11
    on "$kernel" guard=slab:sample=64 stress --threads 2 --ops 20000 --seed 12
    for options in quarantine=64:sweep=1 never_reuse=1; do on "$kernel" $options:sample=0 stress --threads 2 --ops 10000 --seed 13; done
done
on wipe sample=0 limits_fork chance
on wipe sample=0 limits_fork loop --forks 40
# Under a filter that lets mseal pass, or refuses it only, the heap is sealed as without.
out=$("$dir/limits_kernel" mremap env LD_PRELOAD="$lib" "$dir/attack/unmap_heap" mprotect 100 2>&1)
status=$?
case $status-$out in
0-*harmless | 77-*) ;;
*) echo "FAIL: under a filter the heap is not sealed: exit $status: $out"; failed=1 ;;
esac
# A filter that ends who calls mseal: nothing is sealed, nobody dies, and no child is left to be waited for.
for how in process thread trap; do
    for program in conform_malloc conform_life; do on $how-mseal sample=0 $program; done
    on $how-mseal sample=0 limits_use medium 100
    out=$("$dir/limits_kernel" $how-mseal env LD_PRELOAD="$lib" sh -c 'wait; echo "$?"' 2>&1)
    [ "$out" = 0 ] || { echo "FAIL: $how-mseal: sh says: $out"; failed=1; }
done
exit $failed
