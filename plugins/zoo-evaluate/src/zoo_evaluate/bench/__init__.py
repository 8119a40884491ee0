"""Benchmarks: every method on the same data, judged by the same judges, in one table.

`protocol` says what a benchmark is made of; `digits` and `emoji` are two of them. A plugin brings
another as a component of kind ``benchmark``. Importing this package imports no torch.
"""
