# The table that run.sh runs: row TIMES END MESSAGE PROGRAM ARGUMENT...

# ---- every function x every pointer that is not the start of a live object ----
for function in free cfree realloc realloc_same realloc_zero reallocarray free_sized free_aligned_sized malloc_usable_size; do
    name=${function%_same}
    name=${name%_zero}
    call="$name\\(\\):"
    for size in 16 100 1000 16000; do
        row 1 abort "$call double free of @ $small" bad_pointer $function freed $size
        row 1 abort "$call double free of @ $small" bad_pointer $function moved $size
    done
    for size in 1 100 1000 16000 20000 300000 5000000; do
        row 1 abort "$call interior pointer @ $any" bad_pointer $function misaligned $size
        [ $size -gt 1 ] || continue
        row 1 abort "$call interior pointer @ $any" bad_pointer $function interior $size
        row 1 abort "$call interior pointer @ $any" bad_pointer $function last_byte $size
    done
    for size in 20000 300000 5000000; do
        row 1 abort "$call double free of @ $any" bad_pointer $function freed $size
        row 1 abort "$call double free of @ $any" bad_pointer $function moved $size
    done
    for size in 100 1000 16000 20000; do
        row 1 abort "$call double free of @ $any" bad_pointer $function purged $size
        row 1 abort "$call (double free of|interior pointer|unallocated pointer) @.*" \
            bad_pointer $function interior_freed $size
    done
    for kind in stack data bss text libc local_static mmap mmap_unmapped library 0x10 0x1000 0x41414140 0x4141414141414140 \
        0x7ffffffff000 0x800000000000 0xfffffffffffffff0 0xffffffffffffffff 0x1; do
        row 1 abort "$call foreign pointer @" bad_pointer $function $kind
    done
    row 1 abort "$call (foreign|unallocated) pointer @" bad_pointer $function far
done

# ---- double frees that only some designs find ----
for size in 1 16 100 1000 16000 20000 300000; do
    for who in there back both; do
        row 1 abort "free\\(\\): double free of @ $any" double_free_other_thread $who $size
    done
    for when in child parent both others; do
        row 1 abort "free\\(\\): double free of @ $any" double_free_forked $when $size
    done
    for state in live freed; do
        row 1 abort "free\\(\\): double free of @ $any" double_free_owner_exited $state $size
    done
    row 10 abort "(malloc|free)\\(\\): double free of @ $any" double_free_racing $size
    row 10 abort "(malloc|free)\\(\\): double free of @ $any" double_free_racing $size others
done
for size in 16 100 1000 16000 20000; do
    row 1 abort "free\\(\\): double free of @ $any" double_free_after_100000_frees $size
    row 1 abort "free\\(\\): double free of @ $any" double_free_after_100000_frees $size in_thread
done
for size in 16 100 1000 10000; do
    row 1 abort "free\\(\\): double free of @ $small" double_free_same_site $size 30
    row 1 abort "free\\(\\): double free of @ $small" double_free_same_site $size 10000
done
row 30 abort "(malloc|free)\\(\\): double free of @ $small" double_free_racing 64
for what in strdup asprintf getline; do
    row 1 abort "free\\(\\): double free of @ $small" double_free_buffer $what
done

# ---- wrong sizes and alignments ----
# A size is told from another by the slot it needs: multiples of 16, fewer for large ones and in cold caches.
for size in 100 1000 10000 20000 300000; do
    for told in $((size * 2)) $((size + 10000)) $((size / 2)) $((size / 5)) 0 10000000000 18446744073709551615; do
        row 1 abort "free_sized\\(\\): wrong size $told for @ $any" wrong_size free_sized $size $told
        row 1 abort "free_aligned_sized\\(\\): wrong size $told for @ $any" wrong_size free_aligned_sized $size $told 16
    done
done
for told in 33 100 18446744073709551615; do
    row 1 abort "free_sized\\(\\): wrong size $told for @ $any" wrong_size free_sized 16 $told
done
for align in 64 256 4096; do
    row 1 abort "free_aligned_sized\\(\\): wrong alignment $align for @ $any" wrong_size alignment 80 80 $align
done
for form in sized array_sized sized_aligned array_sized_aligned; do
    for size in 100 1000 20000; do
        case $form.$size in *aligned.100) continue ;; esac # half of it needs the same slot of 256
        row 1 abort "operator delete(\\[\\])?\\(\\): wrong size $((size / 2)) for @ $any" bad_delete $form half $size
        row 1 abort "operator delete(\\[\\])?\\(\\): wrong size $((size * 2 + 64)) for @ $any" bad_delete $form double $size
    done
done
for form in plain array nothrow array_nothrow sized array_sized aligned array_aligned sized_aligned array_sized_aligned; do
    for size in 100 20000; do
        row 1 abort "operator delete(\\[\\])?\\(\\): double free of @ $any" bad_delete $form freed $size
        row 1 abort "operator delete(\\[\\])?\\(\\): interior pointer @ $any" bad_delete $form interior $size
        row 1 abort "operator delete(\\[\\])?\\(\\): interior pointer @ $any" bad_delete $form misaligned $size
    done
    row 1 abort "operator delete(\\[\\])?\\(\\): foreign pointer @" bad_delete $form data
done

# ---- writes after free: first, middle and last byte ----
for size in 1 16 100 1000 4096 16000; do
    for offset in 0 $((size / 2)) $((size - 1)); do
        row 1 abort "malloc\\(\\): write after free at # $small" write_after_free malloc $size $offset
        row 1 abort "calloc\\(\\): write after free at # $small" write_after_free calloc $size $offset
    done
    for how in new_thread freed_there owner_exited purged then_purged forked moved; do
        # What is found while memory is given back is found by free or malloc_trim.
        row 1 abort "(malloc|free|malloc_trim)\\(\\): write after free at # $small" write_after_free $how $size $((size - 1))
    done
done
for size in 20000 300000 5000000; do
    for offset in 0 $((size - 1)); do
        row 1 either "malloc\\(\\): write after free at # $any" write_after_free malloc $size $offset
        row 1 either "calloc\\(\\): write after free at # $any" write_after_free calloc $size $offset
        row 1 either "malloc\\(\\): write after free at # $any" write_after_free purged $size $offset
        row 1 either "(malloc|free|malloc_trim)\\(\\): write after free at # $any" write_after_free then_purged $size $offset
        row 1 either "malloc\\(\\): write after free at # $any" write_after_free moved $size $offset
    done
done
for size in 16 96 1000; do
    row 1 abort "malloc\\(\\): write after free at # $small" overflow_into_free $size
done

# ---- what an overflow or an over-read can reach ----
for size in 16385 20000 100000 300000 5000000; do
    row 1 segv '' overflow_past_large $size write
    row 1 segv '' overflow_past_large $size read
done
for size in 1 16 48 100 1000 5000 16000; do
    row 1 ok '' neighbours $size
done
for size in 1 16 100 1000 16000 20000 5000000; do
    row 1 ok '' read_after_free $size
done
for how in fresh shrunk grown; do
    row 1 ok '' write_behind_large $how
done
row 1 ok '' uninitialised_read

# ---- caches by name: objects of others, and handles that are none ----
for size in 48 5000 20000 5000000; do
    for whose in of_same_name of_data of_buckets untyped typed; do
        row 1 abort "typed_cache_free\\(\\): object of another cache at @ $any" bad_cache free $whose $size
    done
    row 1 abort "typed_cache_free\\(\\): interior pointer @ $any" bad_cache free interior $size
    row 1 abort "typed_cache_free\\(\\): double free of @ $any" bad_cache free freed $size
    row 1 abort "typed_cache_free\\(\\): double free of @ $any" bad_cache free freed_elsewhere $size
done
row 1 abort "typed_cache_free\\(\\): foreign pointer @" bad_cache free static
for kind in 0 1 -1 0x10 0x1000 0x7ffffffffff0 0xfffffffffffffff0 buckets ended object odd wide; do
    for function in alloc destroy; do
        row 1 abort "typed_cache_$function\\(\\): not a cache: @" bad_cache $function $kind
    done
    row 1 abort "typed_cache_free\\(\\): not a cache: @" bad_cache give_back $kind
    row 1 abort "typed_cache_free\\(\\): not a cache: @" bad_cache give_back_nothing $kind
done
for kind in 0 1 -1 0x10 0x1000 0x7ffffffffff0 0xfffffffffffffff0 mine ended object; do
    row 1 abort "typed_buckets_alloc\\(\\): not a set of buckets: @" bad_cache alloc_size $kind
done
# Handles look aligned; none but those that were given out is good.
for guess in 1 2 3 4 5 7 8 16 64 100 1000 65536 1000000 100000000; do
    row 1 abort "typed_cache_alloc\\(\\): not a cache: @" bad_cache alloc guess 48 $guess
done
