"""Measurements of this program, one module each: `python -m benchmarks.NAME`."""
