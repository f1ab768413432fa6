#!/bin/bash
# redis-server: load with a background save (fork) in the middle, then a restart; the data must survive.
. "$(dirname "$0")/lib.sh"
need redis-server redis-cli redis-benchmark
port=$(free_port)

cli() { redis-cli -p "$port" "$@"; }

start_server()
{
	start redis-server --bind 127.0.0.1 --port "$port" --dir "$W" --save "" --enable-debug-command local >&2
	server=$PID
	await cli ping
	loaded "$server"
}

field() { cli info persistence | tr -d '\r' | sed -n "s/^$1://p"; }
saved() { [ "$(field rdb_bgsave_in_progress)" = 0 ]; }

# Known data of every kind, in database 1, made by commands that do not depend on the time.
known_data()
{
	awk 'BEGIN {
		print "SELECT 1"
		for (i = 0; i < 20000; i++) {
			printf "SET string:%d %d-%s\n", i, i, substr("abcdefghijklmnopqrstuvwxyz", 1 + i % 20)
			printf "RPUSH list:%d %d\n", i % 50, i * i
			printf "HSET hash:%d field:%d %d\n", i % 70, i, i * 3
			printf "SADD set:%d member:%d\n", i % 30, i
			printf "ZADD zset:%d %d member:%d\n", i % 20, i % 997, i
			printf "XADD stream:%d %d-1 k %d\n", i % 10, i + 1, i
		}
		for (i = 1; i <= 8; i++) printf "SETRANGE large:%d %d end\n", i, i * 1000000
		print "EVAL \"for i = 1, 1000 do redis.call(\47SET\47, \47lua:\47 .. i, string.rep(\47x\47, i)) end\" 0"
		for (i = 0; i < 20000; i += 3) printf "UNLINK string:%d\n", i
	}' | cli --pipe >&2
}

start_server
redis-benchmark -p "$port" -q -c 20 -n 30000 -r 5000 -d 100 -P 4 \
	-t set,get,incr,lpush,lpop,sadd,hset,spop,zadd,mset >/dev/null &
load=$!
pids+=("$load")
sleep 0.3
kill -0 "$load"
cli bgsave >&2
finish "$load"
await saved
[ "$(field rdb_last_bgsave_status)" = ok ]
known_data
cli memory purge >&2
digest=$(cli debug digest)
cli save >&2
stop "$server"
counted redis-server

start_server
[ "$(cli debug digest)" = "$digest" ] || die "the data changed over the restart"
cli -n 0 flushdb async >&2
cli debug digest
cli -n 1 dbsize
cli -n 1 --raw sort list:7 desc limit 0 5
stop "$server"
