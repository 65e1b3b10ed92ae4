"""The admin, where triggers are set up, and the HTTP API that other systems fire events with."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/", admin.site.urls),
    path("api/v1/", include("triggers_api.urls")),
]
