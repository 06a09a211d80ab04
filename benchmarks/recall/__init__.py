"""How well search/memory finds what holds the answer: `python -m benchmarks.recall --data DIR`."""
