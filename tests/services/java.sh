#!/bin/bash
# java: compiles and runs a program with threads, collections, direct buffers, compression and several collectors.
. "$(dirname "$0")/lib.sh"
need java javac
run javac -J-Xmx256m -d "$W" "$here/Work.java"
for collector in Serial Parallel G1; do
	echo "== $collector"
	run java -Xmx192m "-XX:+Use${collector}GC" -cp "$W" Work
done
counted java javac
