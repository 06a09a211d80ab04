"""Doctor: whether everything that was accepted came to an end, and what is out of order."""
