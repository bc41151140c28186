"""Words that all rooms share; imports nothing of ours."""
