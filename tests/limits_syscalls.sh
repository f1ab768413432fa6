#!/bin/sh
# The heap with one system call refused at a time, with only the documented ones allowed, and started in a chroot that has no /proc, /sys
# or /dev.
lib=${TYPED_MALLOC_LIB:?is not set}
dir=${TESTS_DIR:-tests}
failed=0
ulimit -c 0
for call in madvise mprotect mseal futex mremap getrandom munmap brk prctl mmap only sealless children stacks; do
    env LD_PRELOAD="$lib" "$dir/limits_syscalls" $call
    status=$?
    [ $status = 0 ] || [ $status = 77 ] || { echo "FAIL: limits_syscalls $call: exit $status"; failed=1; }
done

root=$(mktemp -d) || exit 99
trap 'rm -rf "$root"' EXIT
for file in $(ldd "$dir/limits_use" "$lib" | grep -o '/[^ )]*' | grep -v ':$' | sort -u); do
    mkdir -p "$root${file%/*}" && cp -L "$file" "$root$file"
done
cp "$lib" "$root/libtyped_malloc.so" && cp "$dir/limits_use" "$root/limits_use"
if unshare -r true 2>/dev/null; then
    unshare -r chroot "$root" /limits_use small 1 >/dev/null 2>&1
    if [ $? != 90 ]; then
        echo "the chroot does not work here: skipped"
    else
        for kind in small large; do
            out=$(LD_PRELOAD=/libtyped_malloc.so unshare -r chroot "$root" /limits_use $kind 50 2>&1)
            case $out in
            *"limits_use: passed"*) ;;
            *) echo "FAIL: in a chroot: $out"; failed=1 ;;
            esac
        done
    fi
fi
exit $failed
