#!/bin/bash
# sqlite3: tables, indexes, joins, full-text search, JSON, window functions, recursion, vacuum; then the whole dump.
. "$(dirname "$0")/lib.sh"
need sqlite3
cd "$W"
run sqlite3 -bail test.db <"$here/sqlite3.sql"
run sqlite3 test.db .dump | sha256sum
run sqlite3 copy.db ".restore test.db" "pragma integrity_check"
counted sqlite3
