"""What is measured, one file per path; `python -m benchmarks.<name>` runs one."""
