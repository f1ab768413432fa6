#!/bin/bash
# memcached: protocol tests, load and known data; then the same with -k, which locks all of its memory.
. "$(dirname "$0")/lib.sh"
need memcached memccapable memcslap memccp memccat
as=()
[ "$(id -u)" != 0 ] || as=(-u nobody)

mkdir "$W/in"
for i in 1 2 3 4 5 6 7 8; do seq 1 $((i * i * 900)) >"$W/in/file$i"; done

serve() # serve WHAT OPTION...
{
	echo "== $1"
	port=$(free_port)
	start memcached "${as[@]}" -l 127.0.0.1 -p "$port" -U 0 -m 64 -t 4 "${@:2}" >&2
	server=$PID
	await memcping --servers="127.0.0.1:$port"
	loaded "$server"
	memccapable -h 127.0.0.1 -p "$port" 2>&1 | sed 's/  */ /g'
	memcslap --servers="127.0.0.1:$port" --concurrency=8 --execute-number=4000 --test=set >&2
	memcslap --servers="127.0.0.1:$port" --concurrency=8 --execute-number=4000 --test=get >&2
	memcflush --servers="127.0.0.1:$port"
	memccp --servers="127.0.0.1:$port" "$W"/in/*
	for i in 1 2 3 4 5 6 7 8; do memccat --servers="127.0.0.1:$port" "file$i" | sha256sum; done
}

serve plain
stop "$server"
counted memcached
ulimit -l unlimited 2>/dev/null || true
serve locked -k
if [ "$(ulimit -l)" = unlimited ]; then
	awk '$1 == "VmLck:" { exit !($2 > 1000) }' "/proc/$server/status" || die "-k locked nothing"
fi
awk '$1 == "VmRSS:" { print $2 < 400 * 1024 ? "resident size is sane" : "resident: " $2 " KiB" }' "/proc/$server/status"
stop "$server"
