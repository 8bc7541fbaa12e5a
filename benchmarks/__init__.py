"""Measurements of this program: `python -m benchmarks NAME`; GPU.md says what to run where there is a GPU."""
