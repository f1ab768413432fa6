#!/bin/sh
# What ends the sealing of memory (limits_sealing.c): a filter that the program sets, with prctl, syscall or libseccomp, and nothing else.
lib=${TYPED_MALLOC_LIB:?is not set}
dir=${TESTS_DIR:-tests}
module=${SECCOMP_MODULE:-$(pwd)/tests/.libs/seccomp_module.so}
failed=0
seal() {
    env LD_PRELOAD="$1" "$dir/limits_sealing" "$2"
    status=$?
    [ $status = 0 ] || [ $status = 77 ] || { echo "FAIL: limits_sealing $2: exit $status"; failed=1; }
}
for how in filter filter_in_child refused other_option no_libseccomp call call_in_child call_refused; do seal "$lib" $how; done
for how in load load_in_child; do seal "$lib:$module" $how; done
exit $failed
