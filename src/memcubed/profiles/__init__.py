"""Profiles: what is known of a user or an agent, field by field, in the form that a template gives."""
