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

# regenerate queries/TABLES.md and queries/RULES.md
docs:
    cargo run -- tables --markdown > queries/TABLES.md
    cargo run -- rules list --markdown > queries/RULES.md

# licences and advisories of the dependencies (needs cargo-deny)
deny:
    cargo deny check licenses bans sources
