"""Knowledge bases: documents that are searched together with memories."""
