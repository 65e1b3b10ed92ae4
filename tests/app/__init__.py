"""The example project: people, their tasks, and triggers that send e-mail about them."""

from tests.app.celery import app as celery_app

__all__ = ["celery_app"]
