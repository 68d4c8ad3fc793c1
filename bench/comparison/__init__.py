"""Measures Strata and other switches side by side: bench/compare, doc/benchmarking.md."""
