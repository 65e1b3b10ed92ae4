"""What a project registers for a component that is not told as it stands in the database."""

from rest_framework import serializers

from tests.variety.models import SecretAction
from triggers_api.serializers import ComponentSerializer, register


@register(SecretAction)
class SecretActionSerializer(ComponentSerializer):
    manner = serializers.CharField(source="kind", max_length=64, default="plain")

    class Meta:
        model = SecretAction
        fields = ("secret", "manner", "on_failure")
        extra_kwargs = {"secret": {"write_only": True}}
