"""Feedback: what a user corrects takes the place of what was remembered."""
