# `just` lists these; each is one command, so none needs just itself.

# everything CI does
check:
    tests/run

# sample logs in, findings out, no account needed
demo:
    cargo run --release -- demo

# the benches; they print ratios to other ways of doing the same work
bench:
    cargo bench --bench decode
    cargo bench --bench detect
    cargo bench --bench end_to_end
    cargo bench --bench sources

# regenerate queries/TABLES.md, queries/RULES.md, queries/COVERAGE.md and deploy/weir.schema.json
docs:
    cargo run -- tables --markdown > queries/TABLES.md
    cargo run -- rules list --markdown > queries/RULES.md
    cargo run -- rules coverage > queries/COVERAGE.md
    cargo run -- config schema > deploy/weir.schema.json

# licences and advisories of the dependencies (needs cargo-deny)
deny:
    cargo deny check licenses bans sources

# runs of sources, pipeline and sender in a time of their own, with faults and ends out of 5,000 seeds; a failure names its seed
simulate:
    WEIR_SIMULATION_SEEDS=5000 cargo test --lib pipeline::simulation -- --nocapture

# the engine against DataFusion, the stream against a query over all rows, and what was saved against what was remembered: 10,000 cases of each
properties:
    WEIR_TEST_CASES=10000 cargo test --lib -- router_equals_oracle stream_equals_batch restart_changes_nothing

# fuzz everything that reads bytes, five minutes for each target (needs cargo-fuzz; tests/fuzz/README.md)
fuzz:
    tests/fuzz/seeds.sh
    for target in decode cloudtrail_json glue_job_run guardduty_finding vpc_flow glue_log inflate; do \
      RUSTC_BOOTSTRAP=1 cargo fuzz run --fuzz-dir tests/fuzz --sanitizer none $target -- -max_len=8192 -max_total_time=300 || exit 1; done
