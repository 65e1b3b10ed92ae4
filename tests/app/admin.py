from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from tests.app.models import Task


@admin.register(Task)
class TaskAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ("name", "user", "is_important", "is_completed")
    list_filter = ("is_important", "is_completed")
    actions = ("complete",)

    @admin.action(description="Complete", permissions=["change"])
    def complete(self, request: HttpRequest, queryset: QuerySet[Task]) -> None:
        # One by one: an update of the whole queryset would fire no events.
        for task in queryset:
            task.complete()
        self.message_user(request, f"Tasks completed: {len(queryset)}.")
