"""The FastAPI application and what stands around every request."""
