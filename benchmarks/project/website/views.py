"""The floor for requests."""

from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from shop.models import Note


class BareView(APIView):
    """Authenticates and does one INSERT."""

    permission_classes = [IsAuthenticated]

    def post(self, request: Request) -> Response:
        note = Note.objects.create(text=str(request.data))
        return Response({"id": note.pk}, status=201)
