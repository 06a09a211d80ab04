"""The shapes that every route of the contract shares."""
