# Sourced: what the scripts of valgrind share. Sets run and supp, besides what compile.sh does.
command -v valgrind >/dev/null || { echo 'no valgrind here'; exit 77; }
. "${srcdir:-.}/tests/compile.sh"
grep -q '^#define HAVE_VALGRIND_MEMCHECK_H' "${builddir:-.}/lib/config.h" || { echo 'built without the header of valgrind'; exit 77; }
unset TYPED_MALLOC_OPTIONS
run=${builddir:-.}/tools/typed-run
supp=$src/lib/typed_malloc.supp
