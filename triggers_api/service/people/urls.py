"""Where people are, below the mount of the API."""

from triggers_api.routes import paths
from triggers_api.service.people.views import PeopleView, PersonView

tags = [{"name": "people", "description": "Those events happen to, by the keys that other systems have for them."}]

urlpatterns = [
    *paths("users", PeopleView.as_view(), "people"),
    *paths("users/<str:key>", PersonView.as_view(), "person"),
]
