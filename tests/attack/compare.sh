#!/bin/sh
# Who stops what: every crime below under this library, glibc's own malloc, and Debian's jemalloc and mimalloc and clang's Scudo
# where they are installed, each preloaded into the same programs. For the record; judges nobody.
#
#   stopped   the process was ended by a signal: abort by the allocator, or a fault
#   harmless  the attack has not reached its goal: ignored, or nothing of use was there; also where a layout happened so
#   not       the attack has reached its goal, or the process hangs
#   -         the allocator lacks the function that is misused
#   N %       by chance, of 1,000 runs: how many reach their goal, unnoticed (of "base": how many share the commonest place)
#
# usage: compare.sh [PATTERN]     environment: TYPED_MALLOC_LIB, ATTACKS (directory of the programs), RUNS (1000)

lib=${TYPED_MALLOC_LIB:?is not set}
dir=${ATTACKS:-tests/attack}
only=${1:-.}
runs=${RUNS:-1000}
tmp=$(mktemp -d) || exit 99
trap 'rm -rf "$tmp"' EXIT
ulimit -c 0
unset ATTACK_FOREIGN TYPED_MALLOC_OPTIONS

# The first file that is there.
first() {
    for file in "$@"; do
        [ -f "$file" ] && echo "$file" && return
    done
}
names= preloads=
add() {
    if [ -n "$2" ]; then
        names="$names $1" preloads="$preloads $2"
    else
        echo "not installed: $1"
    fi
}
add typed_malloc "$lib"
add glibc none
add jemalloc "$(first /usr/lib/*-linux-gnu/libjemalloc.so.2)"
add mimalloc "$(first /usr/lib/*-linux-gnu/libmimalloc.so.2)"
add scudo "$(first /usr/lib/llvm-22/lib/clang/22/lib/linux/libclang_rt.scudo_standalone-"$(uname -m)".so)"

# Under this library the programs make sure that it is there.
foreign_to() {
    if [ "$1" = "$lib" ]; then
        unset ATTACK_FOREIGN
    else
        export ATTACK_FOREIGN=1
    fi
}
LD_PRELOAD=$lib "$dir/innocent" >/dev/null 2>&1 || {
    echo "$lib cannot be preloaded"
    exit 1
}

# once PRELOAD PROGRAM ARGUMENT...: prints the verdict.
once() {
    preload=$1 program=$2
    shift 2
    foreign_to "$preload"
    { timeout 20 env LD_PRELOAD="$preload" "$dir/$program" "$@" >"$tmp/out" 2>/dev/null </dev/null; } 2>/dev/null
    status=$?
    if [ $status -gt 128 ]; then
        echo stopped
    elif [ $status = 77 ]; then
        echo -
    elif [ $status = 124 ] || grep -q '^survived$' "$tmp/out"; then
        echo not
    elif grep -q '^harmless$' "$tmp/out"; then
        echo harmless
    elif [ $status = 0 ]; then
        echo not
    else
        echo "?$status"
    fi
}

# often PRELOAD PROGRAM ARGUMENT...: prints the rate.
often() {
    preload=$1 program=$2
    shift 2
    foreign_to "$preload"
    set -- $(ATTACK_PRELOAD="$preload" "$dir/rate" "$runs" "$dir/$program" "$@")
    n=$4
    [ "${12}" -le $n ] || n=${12}
    awk "BEGIN { printf \"%.1f%%\\n\", $n * 100 / $runs }"
}

line() {
    label=$1
    shift
    printf '%-58s' "$label"
    for cell in "$@"; do
        printf ' %-12s' "$cell"
    done
    echo
}

line crime $names
: >"$tmp/all"
while IFS='|' read -r label program; do
    label=$(echo "$label" | sed 's/ *$//')
    case $label in
    '' | '#'*) continue ;;
    esac
    printf '%s\n' "$label $program" | grep -qE "$only" || continue
    set -- $program
    [ -x "$dir/$1" ] || continue
    cells=
    for preload in $preloads; do
        [ $preload != none ] || preload=
        case $1 in
        chance_*) cells="$cells $(often "$preload" "$@")" ;;
        *) cells="$cells $(once "$preload" "$@")" ;;
        esac
    done
    line "$label" $cells
    case $1 in
    chance_*) ;;
    *) echo $cells >>"$tmp/all" ;;
    esac
done <<'CRIMES'
double free                                       | bad_pointer free freed 100
double free, 16 bytes                             | bad_pointer free freed 16
double free, large                                | bad_pointer free freed 300000
double free among its neighbours                  | double_free_same_site 100 1000
double free after 100,000 others                  | double_free_after_100000_frees 100
double free on another thread                     | double_free_other_thread there 100
double free, both on other threads                | double_free_other_thread both 100
double free after the owner's end                 | double_free_owner_exited freed 100
double free in a child                            | double_free_forked child 100
double free of a libc buffer                      | double_free_buffer asprintf
double free after memory was given back           | bad_pointer free purged 100
double free after realloc to nothing              | double_free_realloc_zero 100
double free of no bytes                           | double_free_zero_size malloc
double free, a b a (fastbin dup)                  | double_free_fastbin 40
double free, mark overwritten (tcache key)        | double_free_key 100
double free, header restored                      | double_free_header 100
double free, merged (botcake)                     | double_free_merged 256
racing frees, two threads                         | double_free_racing 100
racing frees, two others                          | double_free_racing 100 others
racing frees, eight threads                       | double_free_many_threads 100 owner
racing free and realloc                           | race_free_realloc 100
racing reallocs                                   | race_realloc_realloc 100
realloc of a freed object                         | bad_pointer realloc freed 100
realloc of a freed object, large                  | bad_pointer realloc freed 300000
realloc of a moved object                         | bad_pointer realloc moved 100
free inside an object                             | bad_pointer free interior 100
free inside a large object                        | bad_pointer free interior 300000
free, misaligned                                  | bad_pointer free misaligned 100
free inside a freed object                        | bad_pointer free interior_freed 100
free of the stack                                 | bad_pointer free stack
free of static data                               | bad_pointer free data
free of code                                      | bad_pointer free text
free of a foreign mapping                         | bad_pointer free mmap
free of unmapped memory                           | bad_pointer free mmap_unmapped
free of the vDSO                                  | free_vdso
free of a non-canonical address                   | bad_pointer free 0x4141414141414140
free of a kernel address                          | bad_pointer free 0xfffffffffffffff0
free of a small number                            | bad_pointer free 0x10
free where nothing ever was                       | bad_pointer free far
free into every mapping, metadata too             | free_metadata
free of a guard page                              | free_guard above
realloc of static data                            | bad_pointer realloc data
realloc inside an object                          | bad_pointer realloc interior 100
malloc_usable_size of a freed object              | usable_size_dead freed 100
malloc_usable_size of a moved object              | usable_size_dead moved 100
malloc_usable_size inside an object               | bad_pointer malloc_usable_size interior 100
free_sized, too small                             | wrong_size free_sized 100 50
free_sized, one too many                          | wrong_size free_sized 100 101
free_aligned_sized, wrong size                    | wrong_size free_aligned_sized 100 200 16
free_aligned_sized, wrong alignment               | wrong_size alignment 80 80 4096
sized delete, half                                | bad_delete sized half 100
sized delete, too large                           | bad_delete sized double 1000
sized delete[] of a large one, half               | bad_delete array_sized half 300000
delete through a base without virtual destructor  | delete_wrong_type
delete twice                                      | bad_delete plain freed 100
overflow by 1                                     | overflow_small 104 1 0x41
overflow by 1, odd size                           | overflow_small 101 1 0x41
overflow by 1 NUL                                 | overflow_nul 264
overflow by 8                                     | overflow_small 104 8 0x41
overflow by 8 zeros                               | overflow_small 104 8 0
overflow by 16                                    | overflow_small 104 16 0x41
overflow by 64                                    | overflow_small 104 64 0x41
overflow by 64 zeros                              | overflow_small 104 64 0
overflow by 4096                                  | overflow_small 104 4096 0x41
overflow by 8, seen by realloc                    | overflow_small 104 8 0x41 realloc
overflow by 8, freed elsewhere                    | overflow_small 104 8 0x41 thread
overflow of 16 bytes                              | overflow_small 16 1 0x41
overflow of 5,000 bytes                           | overflow_small 5000 8 0x41
overflow by sprintf                               | overflow_text 24 4
overflow of an aligned object                     | overflow_aligned 64 200 8
overflow of new char[]                            | overflow_new 100 8
overflow after realloc in place                   | overflow_resized 1080 1030 8
overflow of a typed object, variable              | overflow_typed variable 100 8
overflow of a typed object, fixed, to another     | overflow_typed fixed 48 16
overflow of a typed object, last of its page       | overflow_typed fixed 24 8
overflow with another's canary                    | overflow_replay 104
overflow with its own canary moved                | overflow_shift 520
overflow, stride within the slot                  | overflow_stride rest 520
overflow, stride to a free slot                   | overflow_stride free 100
overflow, stride to another type                  | overflow_stride type 48
overflow into a free neighbour                    | overflow_into_free 96
overflow of a large object by 1                   | overflow_large 100001 1 0x41
overflow of a large object by 64                  | overflow_large 100001 64 0x41
overflow of a large object by 64 KiB              | overflow_page 100000
overflow of a large object after realloc          | overflow_large_resized 100000 99000 100
over-read of another's secret                     | over_read 100 256
over-read past a large object                     | overflow_past_large 100000 read
underflow by 1                                    | underflow_small 104 1
underflow by 8                                    | underflow_small 104 8
underflow into a free neighbour                   | underflow_small 104 8 free
underflow of a large object                       | underflow_large 100001 8
underflow of a large object by a page             | underflow_large 100001 4096
zero bytes: read                                  | zero_size malloc read
zero bytes: write                                 | zero_size malloc write
zero bytes: write, calloc                         | zero_size calloc write
write after free, small                           | write_after_free malloc 100 0
write after free, last byte                       | write_after_free malloc 100 99
write after free, medium                          | write_after_free malloc 5000 2500
write after free, before a purge                  | write_after_free then_purged 100 50
write after free, large                           | use_after_free_large write 300000
write after free, giant                           | use_after_free_large write 200000000
write behind a shrunk end                         | write_after_shrink 1080 1030 1079
write behind a large object, seen later           | write_behind_large shrunk
read after free, small                            | read_after_free 100
read after free, medium                           | read_after_free 5000
read after free, large                            | use_after_free_large read 300000
read after free, giant                            | use_after_free_large read 200000000
read after realloc has moved it                   | read_after_realloc 100 5000
read of what realloc cut off                      | read_after_shrink 1080 1030
uninitialised read, malloc                        | uninitialised_malloc 100
uninitialised read, medium                        | uninitialised_malloc 5000
uninitialised read, large                         | uninitialised_malloc 50000
uninitialised read, realloc                       | uninitialised_growth 40 400
uninitialised read, another thread's              | uninitialised_handover 100
uninitialised read, aligned                       | uninitialised_aligned 64 200
fake chunk on the stack (house of spirit)         | fake_chunk_stack 64
fake chunk in static data                         | fake_chunk_static 64
fake chunk inside an object                       | fake_chunk_heap 64
fake chunk in a mapping                           | fake_chunk_mapping 64
fake chunk that says it is a mapping              | fake_chunk_mapped
free-list forgery, plain pointer                  | tcache_forgery plain 56
free-list forgery, pointer as glibc hides it      | tcache_forgery mangled 56
free-list forgery, second list (fastbin)          | fastbin_forgery mangled 56
free-list forgery, medium (unsorted bin)          | bin_forgery 2000
size forgery                                      | size_forgery 264
unlink forgery                                    | unlink_forgery 1056
top forgery (house of force)                      | top_forgery
page header forgery                               | page_forgery 100
metadata between objects                          | neighbours 48
metadata in the heap's mappings                   | metadata_adjacent 100
heap pointers in the library's data               | metadata_writable
heap page unmapped (seal)                         | unmap_heap munmap
heap page replaced (seal)                         | unmap_heap mmap
spray: another call site                          | spray_site 100
spray: another caller of an allocating function   | spray_wrapper 100
spray: another type                               | spray_type 96
spray: another size                               | spray_size 200
spray: other functions                            | spray_function 100
spray: other threads                              | spray_thread 100
spray: freed by other threads                     | spray_thread 100 there
spray: after the owner's end                      | spray_owner_exited 100
spray: after a purge                              | spray_purge 100
spray: in a child                                 | spray_fork 100
spray: after realloc                              | spray_realloc 100 2000
spray: large objects                              | spray_large 300000
spray: under pressure                             | spray_exhaust 100
spray: data next to pointers                      | spray_data 96
a callback in a freed object                      | spray_callback
a callback, after a purge                         | spray_callback purge
a vtable in a freed object                        | vtable_reuse
by chance: canary guessed                         | chance_canary 104
by chance: next address                           | chance_next 100 200
by chance: next address, 1,000 bytes              | chance_next 1000 200
by chance: next address, few so far               | chance_next 100 5
by chance: second object behind the first         | chance_neighbour 100 200
by chance: freed slot comes next                  | chance_reuse 100 1
by chance: freed slot comes next, 1,000 bytes     | chance_reuse 1000 1
by chance: base, libc known                       | chance_base libc 100
CRIMES

total() {
    awk -v want="$1" '{ for (i = 1; i <= NF; i++) n[i] += $i == want } END { for (i = 1; i <= NF; i++) printf "%d ", n[i] }' "$tmp/all"
}
echo
for verdict in stopped harmless not -; do
    line "total: $verdict" $(total $verdict)
done
