"""Chat: a question answered by the language model from what is remembered."""
