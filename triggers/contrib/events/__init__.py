"""Events that need no code: fired by names that people give them, or by the clock."""
