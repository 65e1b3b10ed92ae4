from django.urls import include, path

from website.views import BareView

urlpatterns = [path("bare/", BareView.as_view()), path("api/", include("triggers_api.urls"))]
