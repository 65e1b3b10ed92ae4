"""Actions by which a trigger takes its users along for weeks: they wait, and go on only if it still makes sense."""
