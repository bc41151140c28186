"""The REST API: one module for each thing it is about, each with the table of its endpoints."""
