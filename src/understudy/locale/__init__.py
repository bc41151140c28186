"""Message catalogues, read through `core.text`."""
