"""Pure rules for Chinese and English: which language, which words, which dates, which tags."""
