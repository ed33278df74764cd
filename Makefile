# Compares Katydid with its peers on this machine; BENCH="--quick" and the like are passed on.
.PHONY: bench
bench:
	cargo build --release
	python3 tests/bench/compare $(BENCH)
