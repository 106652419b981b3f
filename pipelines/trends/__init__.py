"""Changes of criteria between two periods: estimates adjusted for the call mix, tests that allow for looking at many, and what contributed."""
