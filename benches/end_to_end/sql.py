"""Runs one SQL statement with DuckDB or chDB: sql.py duckdb|chdb STATEMENT.

Prints the CPU seconds that had gone when the library stood ready, so that they can be taken off.
"""

import resource
import sys

library, statement = sys.argv[1:]
if library == "duckdb":
    import duckdb

    run = duckdb.connect().execute
else:
    import chdb

    run = chdb.query
run("SELECT 1")
used = resource.getrusage(resource.RUSAGE_SELF)
print(used.ru_utime + used.ru_stime)
run(statement)
