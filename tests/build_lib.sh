# For scripts that build the library by hand: parts of it, with other flags, or with a bug in it. Sourced.
#
#   lib_copy DIR                  the sources, into DIR/lib and DIR/include
#   lib_compile SRC OUT FLAG...   SRC/lib/*.c, but for those in $leave_out, to OUT/*.o, those that are newer than their objects
#   lib_link OUT FILE FLAG...     OUT/*.o to a library FILE that can be preloaded
#
# $CC, and what configure has found out, come from the build directory, where the script runs.
top=$(cd "${srcdir:-.}" && pwd)
builddir=${builddir:-$PWD}
CC=${CC:-$(sed -n 's/^CC = //p' "$builddir/Makefile")}
lib_flags="-std=gnu17 -pthread -fPIC -DPIC -g -DHAVE_CONFIG_H -I$builddir/lib $(sed -n 's/^TY_LIB_CFLAGS = //p' "$builddir/Makefile")"
leave_out='mem_api mem_check mem_io mem_wide'
jobs=${JOBS:-2}

lib_copy() {
    mkdir -p "$1"
    cp -r "$top/include" "$1"
    mkdir -p "$1/lib"
    cp -p "$top"/lib/*.[ch] "$top/lib/exports.map" "$1/lib"
}

lib_compile() {
    src=$1 out=$2
    shift 2
    mkdir -p "$out"
    list=
    for file in "$src"/lib/*.c; do
        name=$(basename "$file" .c)
        case " $leave_out " in *" $name "*) continue ;; esac
        [ "$out/$name.o" -nt "$file" ] || list="$list $name"
    done
    # shellcheck disable=SC2086
    printf '%s\n' $list | xargs -P "$jobs" -I NAME $CC $lib_flags -fexceptions "-I$src/include" -iquote "$src/lib" "$@" \
        -c "$src/lib/NAME.c" -o "$out/NAME.o"
}

lib_link() {
    out=$1 file=$2
    shift 2
    $CC -shared -pthread -static-libgcc "$out"/*.o -o "$file" -Wl,-soname,libtyped_malloc.so -Wl,-z,relro -Wl,-z,now \
        -Wl,-z,nodelete "-Wl,--version-script=$top/lib/exports.map" "$@"
}
