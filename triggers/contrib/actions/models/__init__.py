"""Each is a model: its fields are what is set in the admin and over HTTP, its docstring is the help shown there."""

from triggers.contrib.actions.models.call_webhook import CallWebhook
from triggers.contrib.actions.models.firing import FireEvent
from triggers.contrib.actions.models.send_email import SendEmail

__all__ = ["CallWebhook", "FireEvent", "SendEmail"]
