# `make test` is what CI runs; `make bench` compares Katydid with its peers on this machine.

CARGO ?= cargo
export INSTA_UPDATE = no

.PHONY: test bench format lint doc

# Everything that must hold: format, lints, all tests, documentation.
test: tools format lint
	$(CARGO) test --all-targets
	$(CARGO) test --doc
	$(MAKE) browser
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --no-deps --document-private-items

# The pages: types, lints, unit tests, and all of them in Chromium, against the binary that `cargo
# test` has built. Pictures of what was seen are in target/browser.
.PHONY: browser
browser: browser-tools
	cd web && npm ci --silent && npx tsc --noEmit && npx biome check --error-on-warnings . && npm test --silent
	cd tests/browser && ../../web/node_modules/.bin/biome check --error-on-warnings .
	cd tests/browser && npm ci --silent && npm test --silent

# CHROMIUM may name another browser of its kind.
.PHONY: browser-tools
browser-tools:
	@command -v npm >/dev/null && node -e 'process.exit(Number.parseInt(process.versions.node) < 20 ? 1 : 0)' || \
		{ echo "Node.js 20 or later with npm is missing: https://nodejs.org" >&2; exit 1; }
	@test -n "$$CHROMIUM" || command -v chromium || command -v google-chrome || { \
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
			apt-get update -qq && apt-get install -y -qq chromium; \
		else echo "Chromium is missing: apt-get install chromium, or set CHROMIUM" >&2; exit 1; fi; } >/dev/null

# What the tests of cargo need besides it: a C compiler for two packages, nothing else.
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
