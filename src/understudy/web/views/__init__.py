"""Frozen views of the application: each feeds a page, the REST API and the command line alike."""
