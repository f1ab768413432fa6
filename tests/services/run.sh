#!/bin/bash
# run.sh LIBRARY [SERVICE...]: does real software give the same results with LIBRARY preloaded as without?
#
# Each service script beside this one runs twice, plain and preloaded; what it prints and its exit status must be the
# same, and the library must not have complained. Both outputs and logs stay in the directory that SERVICES_LOGS names.
# The options in TYPED_MALLOC_OPTIONS apply to the preloaded runs. A service whose package is missing is skipped; Debian's:
# sqlite3 git perl php-cli curl ruby default-jdk-headless nodejs ghostscript gcc g++ clang-22 redis-server memcached libmemcached-tools
# nginx apache2-utils curl openssl postgresql openssh-server openssh-client vsftpd stress-ng python3 libpython3.11-testsuite

set -u
here=$(cd "$(dirname "$0")" && pwd)
[ $# -ge 1 ] || { echo "usage: run.sh LIBRARY [SERVICE...]" >&2; exit 2; }
[ -f "$1" ] || { echo "run.sh: no library $1" >&2; exit 2; }
library=$1
shift
[ $# -gt 0 ] || set -- sqlite3 git perl php ruby java node ghostscript gcc clang redis memcached nginx postgresql sshd vsftpd stress-ng python3

top=$(cd "$(mktemp -d)" && pwd -P)
chmod 755 "$top"
child=
trap 'rm -rf "$top"' EXIT
trap '[ -z "$child" ] || kill "$child"; wait; exit 1' HUP INT TERM
logs=${SERVICES_LOGS:-$top}
mkdir -p "$logs"

# A copy: other users' processes can read it, and a rebuild meanwhile cannot change it under a running service.
copy=$top/$(basename "$library")
cp -L "$library" "$copy" && chmod 755 "$copy" || exit 2

# attempt NAME LIB WHAT: runs a service, its stdout and log to $logs/NAME.WHAT.{out,log}; returns its exit status.
attempt()
{
	local limit=300 status=0
	[ "$1" = python3 ] && limit=1800
	LIB=$2 TMPDIR=$top timeout -k 20 "$limit" bash "$here/$1.sh" \
		>"$logs/$1.$3.out" 2>"$logs/$1.$3.log" </dev/null &
	child=$!
	wait "$child" || status=$?
	child=
	[ "$status" != 124 ] || echo "not finished after $limit s" >>"$logs/$1.$3.log"
	return "$status"
}

# fail NAME WHY LOG: reports a failure and how to see it again.
fail()
{
	failed=$((failed + 1))
	echo "FAIL $1: $2"
	tail -n 15 "$3" | sed 's/^/    /'
	echo "    again: LIB=$library bash $here/$1.sh"
}

passed=0 failed=0 skipped=0
for name; do
	begin=$SECONDS
	attempt "$name" "" plain
	status=$?
	if [ $status = 77 ]; then
		skipped=$((skipped + 1))
		echo "SKIP $name: $(tail -n 1 "$logs/$name.plain.log")"
		continue
	elif [ $status != 0 ]; then
		fail "$name" "exit status $status without any library" "$logs/$name.plain.log"
		continue
	fi
	middle=$SECONDS
	attempt "$name" "$copy" preload
	status=$?
	if [ $status != 0 ]; then
		fail "$name" "exit status $status with the library" "$logs/$name.preload.log"
	elif ! diff "$logs/$name.plain.out" "$logs/$name.preload.out" >"$logs/$name.diff"; then
		fail "$name" "other results with the library" "$logs/$name.diff"
	elif grep '^typed_malloc: ' "$logs/$name.preload.log" >"$logs/$name.messages"; then
		fail "$name" "the library complained" "$logs/$name.messages"
	else
		passed=$((passed + 1))
		echo "PASS $name (plain $((middle - begin)) s, preloaded $((SECONDS - middle)) s)"
	fi
done
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed = 0 ]
