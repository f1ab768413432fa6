#!/bin/bash
# gcc: compile, assemble, link, link-time optimisation.
. "$(dirname "$0")/lib.sh"
. "$here/compile.sh" gcc g++
counted cc1 cc1plus as
