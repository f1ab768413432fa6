#!/bin/bash
# stress-ng: the stressors that live in malloc, with their own verification, for a set number of operations. Not --malloc: it writes 8 bytes
# to what it got from calloc(n, len / n), with n up to 17 and len as small as 8 (0.15.06; the library stops it, rightly).
. "$(dirname "$0")/lib.sh"
need stress-ng
cd "$W"

stress()
{
	run stress-ng --verify --temp-path "$W" --timeout 60 "$@" >&2
	echo "$* ok"
}
stress --bigheap 1 --bigheap-ops 4000
stress --tree 1 --tree-ops 10 --tree-size 50000
stress --list 1 --list-ops 100
stress --skiplist 1 --skiplist-ops 100
stress --hash 1 --hash-ops 2000
stress --tsearch 1 --tsearch-ops 10
stress --zlib 1 --zlib-ops 50
stress --qsort 1 --qsort-ops 10
stress --pthread 2 --pthread-ops 4000
stress --fork 2 --fork-ops 2000
counted stress-ng
