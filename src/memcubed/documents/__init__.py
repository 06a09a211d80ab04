"""Documents: fetched from URLs with care, decoded and read into text."""
