"""Runs one SQL statement with DuckDB or chDB: sql.py duckdb|chdb STATEMENT [rows].

Prints the CPU seconds that had gone when the library stood ready, so that they can be taken off, and the rows of the answer
where they are asked for.
"""

import resource
import sys

library, statement = sys.argv[1:3]
if library == "duckdb":
    import duckdb

    run = duckdb.connect().execute
else:
    import chdb

    run = chdb.query
run("SELECT 1")
used = resource.getrusage(resource.RUSAGE_SELF)
print(used.ru_utime + used.ru_stime)
if sys.argv[3:] != ["rows"]:
    run(statement)
elif library == "duckdb":
    for row in run(statement).fetchall():
        print(*("" if value is None else value for value in row), sep="\t")
else:
    print(run(statement, "TabSeparated"), end="")
