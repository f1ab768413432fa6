#!/bin/bash
# node: worker threads, compression, cryptography, typed arrays shared between threads, a child process.
. "$(dirname "$0")/lib.sh"
need node
run node "$here/node.js"
counted node
