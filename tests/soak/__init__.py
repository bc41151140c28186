"""The long experiments: each breaks a promise of ours in numbers, or shows that it holds.

`make soak` runs them at full length (`python -m soak`, with `tests` on the path); tests in `tests/flows`
run a seeded sample of each.
"""
