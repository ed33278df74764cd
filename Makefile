# `make test` is what CI runs; `make bench` compares Katydid with its peers on this machine.

CARGO ?= cargo
export INSTA_UPDATE = no

.PHONY: test bench format lint doc

# Everything that must hold: format, lints, all tests, documentation.
test: tools format lint
	$(CARGO) test --all-targets
	$(CARGO) test --doc
	$(MAKE) browser
	$(MAKE) kubernetes
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

# deploy/kubernetes against the schemas of Kubernetes, which come from PyPI into a folder below target/.
KUBERNETES := target/kubernetes-venv

.PHONY: kubernetes
kubernetes: $(KUBERNETES)/installed
	$(KUBERNETES)/bin/python tests/kubernetes/check

$(KUBERNETES)/installed: tests/kubernetes/requirements.txt
	@python3 -c 'import ensurepip' 2>/dev/null || { \
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
			apt-get update -qq && apt-get install -y -qq python3-venv; \
		else echo "Python's venv is missing: apt-get install python3-venv" >&2; exit 1; fi; } >/dev/null
	python3 -m venv $(KUBERNETES)
	$(KUBERNETES)/bin/pip install -q --disable-pip-version-check -r $<
	touch $@

# The binary of the image: everything in one file, nothing loaded when it runs. `--target` keeps the
# flag away from what only the build runs.
HOST = $(shell rustc -vV | sed -n 's/^host: //p')

.PHONY: static
static: tools
	RUSTFLAGS="-C target-feature=+crt-static" $(CARGO) build --release --locked --bin katydid --target $(HOST)

# docker-compose.yml on an engine of its own, which is started and ended here. As root; builds the
# static binary, and is no part of `make test` for that.
.PHONY: test-compose
test-compose: compose-tools static
	tests/compose/try target/$(HOST)/release/katydid

.PHONY: compose-tools
compose-tools:
	@test "$$(id -u)" = 0 || { echo "an engine is started by root alone" >&2; exit 1; }
	@command -v dockerd >/dev/null && command -v docker >/dev/null && \
		{ command -v docker-compose || docker compose version; } >/dev/null 2>&1 || \
		{ apt-get update -qq && apt-get install -y -qq --no-install-recommends \
			docker.io docker-compose iptables iproute2; } >/dev/null

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
	$(CARGO) bench --bench report --bench fleet
