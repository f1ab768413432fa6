# shellcheck shell=bash disable=SC2154,SC2164 # lib.sh sets here, and stops on errors
# compile.sh CC CXX: compiles and runs C and C++ at several optimisation levels; sourced by gcc.sh and clang.sh.
cc=$1
cxx=$2
need "$cc" "$cxx"
cd "$W"
cp "$here/compile.c" "$here/compile.cc" .
for flags in "-O0 -g" -O2 "-O3 -flto"; do
	# shellcheck disable=SC2086 # several words
	{
		run "$cc" -std=gnu11 $flags -frandom-seed=1 "-fdebug-prefix-map=$W=." -c compile.c -o c.o
		run "$cxx" -std=c++17 $flags -frandom-seed=1 "-fdebug-prefix-map=$W=." -c compile.cc -o cc.o
		run "$cxx" $flags -frandom-seed=1 c.o cc.o -o program
	}
	echo "== $flags"
	[ "$flags" = "-O3 -flto" ] || sha256sum c.o cc.o
	run ./program
done
run "$cxx" -std=c++17 -O1 -S -o - compile.cc | sha256sum
run "$cc" -E -dM compile.c | sha256sum
counted "$cc" program
