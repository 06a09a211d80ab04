"""Files and images of messages: read once, before extraction, into pieces that become memories."""
