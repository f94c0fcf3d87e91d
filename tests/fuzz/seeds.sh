#!/usr/bin/env bash
# Fills a folder, or tests/fuzz/corpus, which git ignores, with inputs made from tests/data: one folder for each target.
# no pipefail: `head` closes pipes early
set -eu
corpus=$(realpath -m "${1:-$(dirname "$0")/corpus}")
cd "$(dirname "$0")"
data=../data
# a larger input makes every run slower and teaches little
most=8192

seed() { # target, name; the input is read from standard input
  mkdir -p "$corpus/$1"
  head -c "$most" > "$corpus/$1/$2"
}
# targets that take a byte of choices before the input
chosen() { # target, byte in octal, name, file
  { printf "\\$2"; cat "$4"; } | seed "$1" "$3"
}
name() { echo "$1" | tr -c 'A-Za-z0-9\n' _ | tail -c 80; }

small() { find "$data" -type f -size -"$most"c ! -name '*.py' ! -name '*.md' "$@" | sort; }

for file in $(small | head -200); do
  chosen decode 007 "$(name "$file")" "$file"
  chosen decode 027 "slow_$(name "$file")" "$file"
done
for file in $(small -name '*.gz' | head -60); do
  chosen inflate 100 "$(name "$file")" "$file"
  gzip -dc "$file" | { printf '\007'; cat; } | seed decode "inflated_$(name "$file")"
done
{ printf '\007'; head -c 3000 "$data/glue_log/spark-driver.log"; } | seed decode spark
{ printf '\007'; cat "$data/vpc_flow/v2-default.log"; } | seed decode flows

# lines of JSON values, which the targets put into records
values() {
  printf '%s\n' 'null' '"text"' '"\u00e9\n\"\\ \ud83d\ude00"' '{"a":[1,2.5e3,{"b":null}],"c":true}' '[]' '{}' '-0' '1e400'
}
values | seed cloudtrail_json values
values | seed glue_job_run values
values | seed guardduty_finding values
printf '%s\n' '"{\"a\": 1}"' '[[[["x"]]]]' '18446744073709551616' '"\u0000"' '{"a":1,"a":2}' '"' '{' '},{"eventName":1' \
  | seed cloudtrail_json odd
printf '%s\n' '7' '"7"' '7.0' '9223372036854775808' '{"--job-language":"python"}' '"' '}]}' ']' | seed glue_job_run odd
for file in $(small -path '*stratus*' -name '*.gz' | head -40); do
  gzip -dc "$file" | grep -oE '"(requestParameters|responseElements|userIdentity|userAgent)":(\{[^{}]*\}|"[^"]*")' \
    | sed -E 's/^"[A-Za-z]+"://' | head -8 | seed cloudtrail_json "$(name "$file")"
done
grep -oE '"Arguments": *\{[^{}]*\}' <(tr -d '\n' < "$data/glue_job_run/get-job-runs.json") \
  | sed -E 's/^"Arguments": *//' | head -8 | seed glue_job_run arguments

printf '%s\n' '7' '"8.5"' '"[SAMPLE] a"' '{"sample":true}' '"' '}]}' '},{"schemaVersion":"2.0"' | seed guardduty_finding odd

awk '{ print $4, $7, $13, $3 }' "$data/vpc_flow/v2-default.log" | seed vpc_flow picked
printf '%s\n' '10.0.0.1 22 ACCEPT x' '- - - -' '  2001:db8::1	65535 REJECT  y  ' 'A 12345678901234567 B C' '1 2 3' '' \
  | seed vpc_flow blanks
head -c 4000 "$data/glue_log/spark-driver.log" | seed glue_log spark
printf '%s\n' 'Traceback (most recent call last):' '  File "a.py", line 1' 'ValueError: bad' \
  '2024-05-01 12:00:01,123 - my_job - ERROR - it broke' '[Stage 3:>   (0 + 4) / 10]' 'INFO:root:hello' \
  '2024-05-01T12:00:02.118Z 24/05/01 12:00:01 WARN [main] A (B.scala:c(1)): d' | seed glue_log shapes
(cd "$corpus" && find . -type f | cut -d/ -f2 | sort | uniq -c)
