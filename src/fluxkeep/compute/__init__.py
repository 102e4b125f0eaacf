"""Columnar kernels shared by the engines and the store: windows, fills, aggregates."""
