"""The operator's API: projects, their keys, and what they use."""
