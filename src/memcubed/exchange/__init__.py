"""Export and import: one project, or one cube of it, as JSON Lines."""
