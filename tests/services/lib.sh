# shellcheck shell=bash
# Helpers for the service scripts; each sources this file first.
#
# A script runs one real program and prints on stdout what the program computed, and nothing that changes from run to
# run; progress and complaints go to stderr. LIB is the library to preload, empty for a plain run, the reference.
# Exit status 0: it worked; 77: a package is missing; anything else: it failed. run.sh limits the time.
#
#   run CMD...          run a program with the library
#   start CMD...        the same in the background; PID is its process id
#   finish PID          wait for a background process: its exit status must be 0
#   stop PID [SIGNAL]   send it a signal (TERM), then the same
#   loaded PID...       fail unless these running processes have the library mapped
#   counted PROG...     fail unless a process of each program left a statistics table with allocations in it
#   free_port           print a random loopback port that nobody listens on
#   await CMD...        wait up to 30 s until a command succeeds
#   W                   a directory of this run alone, removed at the end

export PATH=/usr/sbin:/usr/bin:/sbin:/bin # the distribution's programs, not somebody's own build
# shellcheck disable=SC2034 # for the scripts
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/../real.sh"
LIB=${LIB:+$(realpath "$LIB")}
W=$(cd "$(mktemp -d)" && pwd -P)
chmod 755 "$W"
mkdir -m 1777 "$W/stats"
export HOME=$W

leave()
{
	local pid
	for pid in "${pids[@]}"; do kill "$pid" && sleep 1 && kill -9 "$pid"; done 2>/dev/null
	wait
	rm -rf "$W"
}

environment=()
if [ -n "$LIB" ]; then
	options=${TYPED_MALLOC_OPTIONS:+$TYPED_MALLOC_OPTIONS:}stats=$W/stats/%p
	environment=("LD_PRELOAD=$LIB" "TYPED_MALLOC_OPTIONS=$options")
fi

run() { env "${environment[@]}" "$@"; }

start()
{
	env "${environment[@]}" "$@" &
	PID=$!
	pids+=("$PID")
}

finish()
{
	local pid status=0 left=()
	wait "$1" || status=$?
	for pid in "${pids[@]}"; do [ "$pid" = "$1" ] || left+=("$pid"); done
	pids=("${left[@]}")
	[ "$status" = 0 ] || die "process $1 ended with status $status"
}

stop()
{
	kill -s "${2:-TERM}" "$1"
	finish "$1"
}

loaded()
{
	local pid
	[ -n "$LIB" ] || return 0
	for pid; do grep -qF "$LIB" "/proc/$pid/maps" || die "$LIB is not loaded in process $pid"; done
}

# Other allocators leave no tables: with them, only see that preloading works at all.
counted()
{
	local prog
	case ${LIB##*/} in
	'') return 0 ;;
	*typed_malloc*) ;;
	*)
		run cat /proc/self/maps | grep -F "$LIB" >/dev/null || die "$LIB cannot be preloaded"
		return 0
		;;
	esac
	for prog; do
		cat "$W"/stats/* 2>/dev/null | awk -v prog="$prog" '
			/^typed_malloc statistics: / { ours = index($3, prog) == 1 }
			ours && / [a-z]+-(fixed|var|large)( +[0-9]+)+$/ { rows++ }
			END { exit !rows }' || die "no process of $prog left a statistics table"
	done
}

free_port()
{
	local port
	while
		port=$((20000 + RANDOM % 12000))
		(: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null
	do :; done
	echo "$port"
}

await()
{
	local i
	for ((i = 0; i < 300; i++)); do
		"$@" >/dev/null 2>&1 && return 0
		sleep 0.1
	done
	die "still failing after 30 s: $*"
}
