"""Production: messages become memories."""
