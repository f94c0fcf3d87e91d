"""Reads an archive with DuckDB and pyarrow and compares its rows with the CloudTrail files it was made from.

Usage: read_archive.py LOGS ARCHIVE"""

import glob
import json
import sys

import duckdb
import pyarrow.parquet

logs, archive = sys.argv[1:]
expected = {}
for name in glob.glob(f"{logs}/*.json"):
    for record in json.load(open(name))["Records"]:
        identity = record.get("userIdentity", {})
        expected[record["eventID"]] = (
            record["eventTime"],
            record["eventName"],
            identity.get("arn"),
            record.get("requestParameters"),
            record.get("recipientAccountId"),
            record["awsRegion"],
        )

pattern = f"{archive}/cloudtrail/**/*.parquet"
rows = duckdb.sql(f"""
    SELECT eventid, strftime(eventtime AT TIME ZONE 'UTC', '%Y-%m-%dT%H:%M:%SZ'), eventname, useridentity.arn,
           requestparameters, account, region, strftime(eventtime AT TIME ZONE 'UTC', '%Y-%m-%d') = day::VARCHAR
    FROM read_parquet('{pattern}', hive_partitioning = true, hive_types_autocast = false)
""").fetchall()
assert len(rows) == len(expected), (len(rows), len(expected))
for event_id, time, name, arn, parameters, account, region, same_day in rows:
    want = expected[event_id]
    got = (time, name, arn, json.loads(parameters) if parameters else None, account, region)
    assert got == want, (event_id, got, want)
    assert same_day, event_id

for name in glob.glob(pattern, recursive=True):
    table = pyarrow.parquet.read_table(name, partitioning=None)
    times = table.column("eventtime").to_pylist()
    assert times == sorted(times), name
print(f"{len(rows)} rows agree")
