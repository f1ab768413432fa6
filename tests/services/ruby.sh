#!/bin/bash
# ruby: objects, garbage collection with compaction, strings, big numbers, threads, fibers, fork.
. "$(dirname "$0")/lib.sh"
need ruby
run ruby "$here/ruby.rb"
counted ruby
