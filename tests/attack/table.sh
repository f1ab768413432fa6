# The table that run.sh runs: row TIMES END MESSAGE PROGRAM ARGUMENT..., and by chance rate RUNS STOPPED HITS COMMON PROGRAM
# ARGUMENT...

# ---- every function x every pointer that is not the start of a live object ----
for function in free cfree realloc realloc_same realloc_zero reallocarray free_sized free_aligned_sized malloc_usable_size; do
    name=${function%_same}
    name=${name%_zero}
    call="$name\\(\\):"
    dead='double free of'
    [ $function = malloc_usable_size ] && dead='use after free of' # a query
    for size in 16 100 1000 16000; do
        row 1 abort "$call $dead @ $small" bad_pointer $function freed $size
        row 1 abort "$call $dead @ $small" bad_pointer $function moved $size
    done
    for size in 1 100 1000 16000 20000 300000 5000000; do
        row 1 abort "$call interior pointer @ $any" bad_pointer $function misaligned $size
        [ $size -gt 1 ] || continue
        row 1 abort "$call interior pointer @ $any" bad_pointer $function interior $size
        row 1 abort "$call interior pointer @ $any" bad_pointer $function last_byte $size
    done
    for size in 20000 300000 5000000; do
        row 1 abort "$call $dead @ $any" bad_pointer $function freed $size
        row 1 abort "$call $dead @ $any" bad_pointer $function moved $size
    done
    for size in 100 1000 16000 20000; do
        row 1 abort "$call $dead @ $any" bad_pointer $function purged $size
        row 1 abort "$call ($dead|interior pointer|unallocated pointer) @.*" \
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
    row 10 race "(malloc|free)\\(\\): (double free|overflow) of @ $any" double_free_racing $size
    row 10 race "(malloc|free)\\(\\): (double free|overflow) of @ $any" double_free_racing $size others
done
for size in 16 100 1000 16000 20000; do
    row 1 abort "free\\(\\): double free of @ $any" double_free_after_100000_frees $size
    row 1 abort "free\\(\\): double free of @ $any" double_free_after_100000_frees $size in_thread
done
for size in 16 100 1000 10000; do
    row 1 abort "free\\(\\): double free of @ $small" double_free_same_site $size 30
    row 1 abort "free\\(\\): double free of @ $small" double_free_same_site $size 10000
done
# Cold caches that share pages (16 bytes: a slot has room for one more).
for size in 16 40 100; do
    row 1 abort "free\\(\\): double free of @ $small" parts double $size
    row 1 abort "free\\(\\): interior pointer @ $small" parts interior $size
    row 1 abort "free\\(\\): (interior|unallocated) pointer @.*" parts behind $size
    row 1 abort "free\\(\\): overflow of @ $small" parts overflow $size
    row 1 abort "free\\(\\): overflow of @ $small" parts past $size
    row 1 abort "free\\(\\): double free of @ $small" parts moved $size
    row 1 abort "free_sized\\(\\): wrong size $((size + 1)) for @ $small" parts sized $size
    row 1 abort "malloc_usable_size\\(\\): use after free of @ $small" parts query $size
    row 1 abort "typed_malloc\\(\\): write after free at @ $small" parts after $size
    row 1 abort "malloc_trim\\(\\): write after free at @ $small" parts trim $size
    row 1 ok '' parts spray $size
done
for strong in guard=slab never_reuse=1 quarantine=64; do
    options=partition=typed:sample=0:$strong
    row 1 ok '' parts apart 40
done
options=partition=typed:sample=0
for size in 16 48 128 144 512 1024 4096; do
    row 1 abort "free\\(\\): double free of @ $small" double_free_typed $size
done
row 30 race "(malloc|free)\\(\\): (double free|overflow) of @ $small" double_free_racing 64
for size in 20000 300000 5000000; do # where realloc copies, or moves pages, from what the other guards or protects
    row 20 abort "(free|realloc)\\(\\): double free of @ $any" race_free_realloc $size
    row 20 abort "(free|realloc)\\(\\): double free of @ $any" race_free_realloc $size there
done
for what in strdup asprintf getline; do
    row 1 abort "free\\(\\): double free of @ $small" double_free_buffer $what
done

# ---- wrong sizes and alignments ----
for size in 100 1000 10000 20000 300000; do
    for told in $((size + 1)) $((size - 1)) $((size * 2)) $((size + 10000)) $((size / 2)) 0 10000000000 18446744073709551615; do
        row 1 abort "free_sized\\(\\): wrong size $told for @ $any" wrong_size free_sized $size $told
        row 1 abort "free_aligned_sized\\(\\): wrong size $told for @ $any" wrong_size free_aligned_sized $size $told 16
    done
done
for told in 0 15 17 33 100 18446744073709551615; do
    row 1 abort "free_sized\\(\\): wrong size $told for @ $any" wrong_size free_sized 16 $told
done
row 1 abort "free_sized\\(\\): wrong size 1 for @ $any" wrong_size free_sized 0 1
for align in 64 256 4096; do
    row 1 abort "free_aligned_sized\\(\\): wrong alignment $align for @ $any" wrong_size alignment 80 80 $align
done
row 1 abort "free_aligned_sized\\(\\): wrong alignment 4096 for @ $any" wrong_size alignment 100001 100001 4096
for form in sized array_sized sized_aligned array_sized_aligned; do
    for size in 100 1000 20000; do
        row 1 abort "operator delete(\\[\\])?\\(\\): wrong size $((size / 2)) for @ $any" bad_delete $form half $size
        row 1 abort "operator delete(\\[\\])?\\(\\): wrong size $((size * 2 + 64)) for @ $any" bad_delete $form double $size
    done
done
row 1 abort "operator delete\\(\\): wrong size 16 for @ $any" delete_wrong_type
for form in plain array nothrow array_nothrow sized array_sized aligned array_aligned sized_aligned array_sized_aligned; do
    for size in 100 20000; do
        row 1 abort "operator delete(\\[\\])?\\(\\): double free of @ $any" bad_delete $form freed $size
        row 1 abort "operator delete(\\[\\])?\\(\\): interior pointer @ $any" bad_delete $form interior $size
        row 1 abort "operator delete(\\[\\])?\\(\\): interior pointer @ $any" bad_delete $form misaligned $size
    done
    row 1 abort "operator delete(\\[\\])?\\(\\): foreign pointer @" bad_delete $form data
done

# ---- writes after free: first, middle and last byte ----
# These wait for a slot to come back. A call site that is found to be a wrapper meanwhile has another partition from then on, and
# the slot never comes: one level here.
options=partition=typed:sample=0:site_levels=1
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
for which in 0 1 2 3; do
    row 1 abort "malloc\\(\\): write after free at # $small" write_after_free_cold $which
done
for how in cold hot; do
    row 1 abort "(malloc|free)\\(\\): write after free at # $small" write_after_free_cold_hot $how
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

options=partition=typed:sample=0

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

# ---- pointers to memory that is not the program's ----
for how in free realloc; do
    row 1 abort "$how\\(\\): foreign pointer @" free_vdso $how
done
row 1 abort "malloc_usable_size\\(\\): foreign pointer @" free_vdso usable
row 1 abort "free\\(\\): foreign pointer @" free_metadata
for size in 20000 100001 5000000; do
    row 1 abort "free\\(\\): (interior|unallocated) pointer @.*" free_guard above $size
    row 1 abort "free\\(\\): unallocated pointer @" free_guard below $size
    row 1 abort "free\\(\\): interior pointer @ $any" free_guard first_page $size
    row 1 abort "free\\(\\): (interior|unallocated) pointer @.*" free_guard room $size
done

# ---- double frees that other allocators have been tricked into ----
for size in 24 40 100 1000; do
    for program in fastbin key header merged realloc_zero; do
        row 1 abort "free\\(\\): double free of @ $small" double_free_$program $size
    done
done
for size in 20000 300000; do
    row 1 abort "free\\(\\): double free of @ $any" double_free_realloc_zero $size
    row 1 abort "free\\(\\): double free of @ $any" double_free_merged $size
done
for maker in malloc calloc aligned realloc; do
    row 1 abort "free\\(\\): double free of @ $any" double_free_zero_size $maker
done

# ---- races: several threads free or move one object at the same moment ----
for size in 16 100 1000 20000 300000; do
    row 3 race "(malloc|free)\\(\\): (double free|overflow) of @ $any" double_free_many_threads $size
    row 3 race "(malloc|free)\\(\\): (double free|overflow) of @ $any" double_free_many_threads $size owner
    row 3 race "(malloc|free|realloc)\\(\\): (double free|overflow) of @ $any" race_free_realloc $size
    row 3 race "(malloc|free|realloc)\\(\\): (double free|overflow) of @ $any" race_free_realloc $size there
    row 3 race "(malloc|free|realloc)\\(\\): (double free|overflow) of @ $any" race_realloc_realloc $size
done

# ---- fabricated objects, forged lists and sizes ----
options=partition=typed:sample=0:site_levels=1 # as above
for size in 32 64 128 512; do
    for where in stack static mapping; do
        row 1 abort "free\\(\\): foreign pointer @" fake_chunk_$where $size
    done
    row 1 abort "free\\(\\): interior pointer @ $small" fake_chunk_heap $size
done
row 1 abort "free\\(\\): foreign pointer @" fake_chunk_mapped
for size in 24 56 120 1000; do
    for hidden in plain mangled; do
        row 1 abort "malloc\\(\\): write after free at # $small" tcache_forgery $hidden $size
        row 1 abort "malloc\\(\\): write after free at # $small" fastbin_forgery $hidden $size
    done
done
for size in 1000 2000 5000; do
    row 1 abort "malloc\\(\\): write after free at # $small" bin_forgery $size
done
for size in 104 264 1056; do
    row 1 abort "free\\(\\): overflow of @ $small" size_forgery $size
    row 1 abort "free\\(\\): overflow of @ $small" unlink_forgery $size
done
row 1 abort "free\\(\\): overflow of @ $small" top_forgery
for size in 16 100 1000 5000; do
    row 1 ok '' page_forgery $size
done

options=partition=typed:sample=0

# ---- overflows: by 1, 8, 16, 64, 4096 bytes, with zeros and others, whoever looks first ----
for size in 1 8 24 100 104 520 1000 16000; do
    for bytes in 1 8 16 64; do
        for value in 0 0x41 0xff; do
            # The first byte behind an object is 0 and stays in its slot: a NUL there changes nothing.
            [ $bytes.$value != 1.0 ] || continue
            row 1 abort "free\\(\\): overflow of @ $small" overflow_small $size $bytes $value
        done
    done
    row 1 abort "free\\(\\): overflow of @ $small" overflow_text $size 3
    row 1 ok '' overflow_nul $size
    row 1 ok '' overflow_small $size 1 0
done
for value in 0 0x41; do
    # One time in two hundred the page behind is inaccessible.
    row 1 either "free\\(\\): overflow of @ $small" overflow_small 100 4096 $value
    for finder in realloc realloc_same free_sized malloc_usable_size; do
        row 1 abort "${finder%_same}\\(\\): overflow of @ $small" overflow_small 100 8 $value $finder
        row 1 abort "${finder%_same}\\(\\): overflow of @ $small" overflow_small 1000 8 $value $finder
    done
    for size in 16 100 1000; do
        row 1 abort "free\\(\\): overflow of @ $small" overflow_small $size 8 $value thread
    done
done
for align in 32 64 256 1024 4096; do
    for bytes in 1 8; do
        row 1 abort "free\\(\\): overflow of @ $small" overflow_aligned $align 100 $bytes
        row 1 abort "free\\(\\): overflow of @ $small" overflow_aligned $align 1000 $bytes
    done
done
for size in 16 100 5000; do
    row 1 abort "operator delete\\[\\]\\(\\): overflow of @ $small" overflow_new $size 1
    row 1 abort "operator delete\\[\\]\\(\\): overflow of @ $small" overflow_new $size 16
    row 1 abort "free\\(\\): overflow of @ $small" overflow_typed variable $size 1
    row 1 abort "free\\(\\): overflow of @ $small" overflow_typed variable $size 16
done
row 1 abort "free\\(\\): overflow of @ $small" overflow_resized 100 98 1
row 1 abort "free\\(\\): overflow of @ $small" overflow_resized 98 102 1
row 1 abort "free\\(\\): overflow of @ $small" overflow_resized 1030 1080 8
row 1 abort "free\\(\\): overflow of @ $small" overflow_resized 1080 1030 8
row 1 abort "free\\(\\): overflow of @ $small" write_after_shrink 119 109 118
row 1 abort "free\\(\\): overflow of @ $small" write_after_shrink 1080 1030 1079
for size in 104 520 5000; do
    row 1 abort "free\\(\\): overflow of @ $small" overflow_replay $size
    row 1 abort "free\\(\\): overflow of @ $small" overflow_shift $size
done
for size in 520 1100 9000; do
    row 1 abort "free\\(\\): overflow of @ $small" overflow_stride rest $size
done
for size in 100 520; do
    row 1 abort "malloc\\(\\): write after free at @ $small" overflow_stride free $size
done
# Of a slab that its slots fill to the last byte, the last one has whatever slab comes next behind it: no row for those.
for size in 40 48 200; do
    row 1 ok '' overflow_stride type $size
    row 1 ok '' overflow_typed fixed $size 8
done
for size in 20001 100001 5000001; do
    for bytes in 1 8 15; do
        row 1 abort "free\\(\\): overflow of @ $any" overflow_large $size $bytes 0x41
    done
    row 1 ok '' overflow_large $size 1 0
    row 1 abort "free\\(\\): overflow of @ $any" overflow_large $size 8 0
    row 1 segv '' overflow_large $size 16 0x41
    row 1 segv '' overflow_page $size
done
row 1 abort "free\\(\\): overflow of @ $any" overflow_large_resized 100000 99000 0
row 1 abort "free\\(\\): overflow of @ $any" overflow_large_resized 100000 99000 500
row 1 abort "free\\(\\): overflow of @ $any" overflow_large_resized 50001 50501 0
row 1 abort "free\\(\\): overflow of @ $any" overflow_large_resized 5000000 4999000 100
row 1 segv '' overflow_large_resized 100000 99000 5000

# ---- underflows ----
options=partition=typed:sample=0:site_levels=1
for bytes in 1 8 16; do
    for size in 104 520 1000; do
        row 1 abort "free\\(\\): overflow of @ $small" underflow_small $size $bytes
        row 1 abort "malloc\\(\\): write after free at @ $small" underflow_small $size $bytes free
    done
    for size in 20001 100001 5000001; do
        row 1 abort "free\\(\\): underflow of @ $any" underflow_large $size $bytes
    done
done
row 1 abort "realloc\\(\\): underflow of @ $any" underflow_large 100001 1 realloc
for size in 20001 100001 5000001 100000001; do
    row 1 segv '' underflow_large $size 4096
done

options=partition=typed:sample=0

# ---- objects of no bytes ----
for maker in malloc calloc aligned posix_memalign realloc reallocarray; do
    for access in read write; do
        row 1 segv '' zero_size $maker $access
    done
done

# ---- memory after free, and before first use ----
for size in 20000 300000 5000000; do
    row 1 safe '' use_after_free_large read $size
    row 1 either "malloc\\(\\): write after free at @ $any" use_after_free_large write $size
done
row 1 segv '' use_after_free_large read 200000000
row 1 segv '' use_after_free_large write 200000000
row 1 safe '' use_after_free_large cut 5000000
row 1 segv '' use_after_free_large cut 200000000
for to in 300 5000 30000; do
    row 1 ok '' read_after_realloc 100 $to
    row 1 ok '' uninitialised_growth 40 $to
done
row 1 ok '' read_after_realloc 30000 100
row 1 ok '' read_after_shrink 119 109
row 1 ok '' read_after_shrink 1080 1030
row 1 ok '' read_after_shrink 100000 99000
row 1 ok '' read_after_shrink 100000 50000
for size in 16 100 5000 50000; do
    row 1 abort "malloc_usable_size\\(\\): use after free of @ $any" usable_size_dead freed $size
    row 1 abort "malloc_usable_size\\(\\): use after free of @ $any" usable_size_dead moved $size
    row 1 abort "malloc_usable_size\\(\\): use after free of @ $any" usable_size_dead thread $size
    row 1 ok '' uninitialised_malloc $size
    row 1 ok '' uninitialised_handover $size
    row 1 ok '' uninitialised_aligned 64 $size
done
row 1 ok '' uninitialised_growth 20000 300000

# ---- P1: a freed address never comes back to another call site, type or size ----
for size in 16 100 1000 10000 300000; do
    row 1 ok '' spray_site $size
    row 1 ok '' spray_type $size
    row 1 ok '' spray_type $size variable
    row 1 ok '' spray_size $size
    row 1 ok '' spray_thread $size
    row 1 ok '' spray_thread $size there
    row 1 ok '' spray_purge $size
    row 1 ok '' spray_fork $size
    row 1 ok '' spray_fork $size child
    row 1 ok '' spray_owner_exited $size
done
for size in 20000 300000 5000000 100000000; do
    row 1 ok '' spray_large $size
done
for size in 16 100 1000; do
    row 1 ok '' spray_realloc $size $((size * 20))
    row 1 ok '' spray_function $size
    row 1 ok '' spray_data $size
    row 1 ok '' spray_wrapper $size
    row 1 ok '' spray_wrapper $size deep
done
row 1 ok '' spray_exhaust 100
row 1 ok '' spray_callback
row 1 ok '' spray_callback purge
row 1 ok '' vtable_reuse
for bytes in 64 256; do
    row 1 ok '' over_read 100 $bytes
done

# ---- P2 over whole mappings; sealing ----
for size in 16 100 1000 20000; do
    row 1 ok '' metadata_adjacent $size
done
row 1 ok '' metadata_writable
for how in munmap mprotect mmap mremap; do
    row 1 ok '' unmap_heap $how 100
    row 1 ok '' unmap_heap $how 100000
done

# ---- by chance ----
# The canary has 62 unknown bits; the heap's place more than are seen in 1,000 starts. A slot's place is a matter of one or two
# bits (the next is the last one's neighbour in half of all cases), its reuse of more.
rate 1000 100 0 0 chance_canary 104
rate 1000 0 0 2 chance_base libc 100
rate 1000 0 58 0 chance_next 100 200
rate 1000 0 1 0 chance_reuse 1000 1
rate 300 0 1 0 chance_reuse 100 1
rate 300 0 58 0 chance_next 1000 200
rate 300 0 45 0 chance_next 4000 20
rate 300 0 40 0 chance_next 100 5
rate 300 0 58 0 chance_neighbour 100 200
