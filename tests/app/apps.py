from django.apps import AppConfig


class TasksConfig(AppConfig):
    name = "tests.app"
    label = "app"
    verbose_name = "tasks"
