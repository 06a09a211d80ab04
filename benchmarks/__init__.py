"""Commands that measure memcubed and print tables."""
