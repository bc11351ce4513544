"""The benchmark: ratios, side by side, in one session, on the same data. Never a test.

``data`` makes target and batches, ``contenders`` are the ways to load one, ``compare`` runs
them interleaved and prints medians and ratios. How to read them: docs/performance.md.
"""
