#!/bin/bash
# perl: hashes, closures, regular expressions, sorting, pack, big strings, threads if built in, fork.
. "$(dirname "$0")/lib.sh"
need perl
run perl "$here/perl.pl"
counted perl
