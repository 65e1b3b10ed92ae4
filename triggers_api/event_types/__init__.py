"""Event types that are rows of ``triggers.contrib.events``, made and changed over HTTP; an optional app."""
