"""Several instances: who holds which role."""
