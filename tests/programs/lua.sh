#!/bin/bash
# lua 5.4: the programs of lua.lua; and, where LUA_TESTS names the directory of Lua's own tests for this version (lua-5.4.4-tests
# of www.lua.org; Debian has no copy), those too.
. "$(dirname "$0")/lib.sh"
package=lua5.4 process=lua

build()
{
	local f flags
	echo "#define DEB_HOST_MULTIARCH \"$(gcc -print-multiarch 2>/dev/null)\"" >src/lua5.4-deb-multiarch.h
	for f in src/*.c; do
		[ "$f" != src/luac.c ] || continue
		flags=$cflags\ $wrap
		[ "$f" != src/lgc.c ] || flags="$flags -DLUA_WRAP_OBJECTS"
		# shellcheck disable=SC2086 # several words
		"$CC" $flags -DLUA_COMPAT_5_3 -DLUA_USE_LINUX -c "$f" -o "${f%.c}.o"
	done
	# shellcheck disable=SC2086 # several words
	"$CC" -o lua src/*.o $ldflags -Wl,-E -lm -ldl
}

check()
{
	local out status=0
	out=$(timeout 300 ./lua "$here/lua.lua") || status=$?
	echo "$out"
	run=$(grep -c '^ok ' <<<"$out") || :
	[ $status = 0 ] || { failed=$((failed + 1)) run=$((run + 1)); }
	[ -n "${LUA_TESTS:-}" ] || return 0
	status=0
	cp -r "$LUA_TESTS" "$scratch/tests"
	out=$(cd "$scratch/tests" && timeout 300 "$tree/lua" -e '_U = true' all.lua 2>&1) || status=$?
	echo "$out"
	run=$((run + $(grep -c "FILE '.*\\.lua'" <<<"$out")))
	[ $status = 0 ] && grep -q '^final OK' <<<"$out" || failed=$((failed + 1))
}

work() { program ./lua "$here/lua.lua" 3; }

main
