"""What model calls cost, whose they were, and when a project's budget for a day is spent."""
