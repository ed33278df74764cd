# `make test` is what CI runs; `make bench` compares Katydid with its peers on this machine.

CARGO ?= cargo
export INSTA_UPDATE = no

.PHONY: test bench format lint doc

# Everything that must hold: format, lints, all tests, documentation.
test: tools format lint
	$(CARGO) test --all-targets
	$(CARGO) test --doc
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --no-deps --document-private-items

# What the tests need besides cargo: a C compiler for two packages, nothing else.
.PHONY: tools
tools:
	@command -v $(CARGO) >/dev/null || { echo "cargo is missing: install Rust 1.95 (https://rustup.rs)"; exit 1; }
	@command -v cc >/dev/null || { \
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
			apt-get update -qq && apt-get install -y -qq gcc libc6-dev; \
		else echo "a C compiler is missing: apt-get install gcc libc6-dev"; exit 1; fi; }

format:
	$(CARGO) fmt --check

lint:
	$(CARGO) clippy --all-targets -- -D warnings

doc:
	$(CARGO) doc --no-deps --open

# BENCH="--quick" and the like are passed on; see tests/bench/README.md.
bench:
	$(CARGO) build --release
	python3 tests/bench/compare $(BENCH)
