"""Kills and faults at random moments under a load of adds, and a reckoning at the end: `python -m benchmarks.chaos`."""
