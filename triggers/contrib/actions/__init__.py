"""Actions that are ready to be set up: an e-mail, a call of another system, another event."""
