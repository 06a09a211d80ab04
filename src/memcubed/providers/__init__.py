"""Models that others make: a protocol each, and one file a vendor."""
