"""A message to a person, once, known to have arrived."""
