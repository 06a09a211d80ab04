"""Recall: a query and the few memories that matter for it."""
