"""Skills: how something is done, uploaded as files or distilled from what users did several times."""
