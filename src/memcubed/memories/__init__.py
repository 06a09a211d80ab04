"""Memories: what they are, how they are stored, embedded and let go."""
