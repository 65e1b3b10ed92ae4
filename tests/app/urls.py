"""The admin, where triggers are set up, and the HTTP API that other systems fire events with."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("api/v1/", include("triggers_api.urls")),
]
