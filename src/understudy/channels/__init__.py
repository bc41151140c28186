"""Ways to reach people: one file for each."""
