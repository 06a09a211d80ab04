"""The groups of commands beside those that run the service."""
