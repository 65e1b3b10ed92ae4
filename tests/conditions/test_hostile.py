"""Expressions and templates that want out, or too much: refused when saved, or bounded when they are evaluated."""

import resource
import time
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from rest_framework.test import APIClient

from triggers.contrib import expressions, templates

pytestmark = pytest.mark.timeout(60)

#: Seconds of the processor, and MiB, that one may take; a rendering has two seconds, and a machine may be slow.
MOST_TIME = 6.0
MOST_MEMORY = 200

VARIABLES: dict[str, Any] = {
    "user": {"email": "ada@example.com"},
    "context": {
        "text": "a" * 20_000,
        "angles": "<" * 20_000,
        "list": list(range(1000)),
        "items": [{"id": index} for index in range(1000)],
        "mixed": [1, "a", None, {"b": 1}, Decimal("1.5")],
        "when": datetime(2026, 1, 31, tzinfo=UTC),
        "zone": "/dev/zero",
        "pattern": "(a+)+$b",
    },
    "activity": {"action_count": 0, "last_action_datetime": None},
    "now": datetime(2026, 1, 31, tzinfo=UTC),
}

_TEN = ",".join("a" * 10)

EXPRESSIONS = {
    "attribute": "context.__class__ == 1",
    "attribute of text": "context.text.__class__.__mro__ == 1",
    "attribute by index": "context['__class__'] == 1",
    "method of Python": "context.text.format(context)",
    "import": "__import__('os').system('true') == 0",
    "mutation": "context.list.append(1)",
    "assignment": "context.text = 'x'",
    "message": "google.protobuf.Struct{fields: {}} == null",
    "file as time zone": "now.getHours('/dev/stdin') == 1",
    "file above as time zone": "now.getHours('../../../dev/zero') == 1",
    "time zone of a context": "now.getHours(context.zone) == 1",
    "time zone made": "now.getHours('/dev' + '/zero') == 1",
    "loops in loops": "context.list.all(a, context.list.all(b, context.list.all(c, a + b + c >= 0)))",
    "two loops": "context.list.all(a, context.list.all(b, a + b >= 0))",
    "loops deep": "[1].all(a, [1].all(b, [1].all(c, [1].all(d, true))))",
    "many loops": " && ".join(["[1].all(a, true)"] * 20),
    "lists that double": f"[0]{f'.map(a, [{_TEN}])' * 8} == [0]",
    "lists that double, compared": f"[0]{f'.map(a, [{_TEN}])' * 6} == [0]{f'.map(a, [{_TEN}])' * 2}",
    "texts that double": f"['aaaaaaaaaa']{'.map(a, a + a + a + a + a + a + a + a + a + a)' * 8}[0].size() > 4",
    "context that doubles": f"[context.text]{'.map(a, a + a + a + a + a + a + a + a + a + a)' * 6}[0].size() > 4",
    "maps that grow": f"[0]{'.map(a, {1: a, 2: a, 3: a, 4: a, 5: a, 6: a, 7: a})' * 8} == [0]",
    "text many times": f"({' + '.join(['context.text'] * 25)}).size() > 1",
    "text in a loop": "context.list.exists(x, context.text.contains('b' + context.text))",
    "items compared": "context.items.all(a, context.items.exists_one(b, a == b))",
    "filters in a loop": "context.list.all(a, context.items.filter(b, b.id == a) == [])",
    "regex that backtracks": "context.text.matches('(a+)+$b')",
    "regex of alternatives": "context.text.matches('(a|aa|aaa|a?)*b')",
    "regex of repetitions": "context.text.matches('((a{1,100}){1,100}){1,100}')",
    "regex of many repetitions": f"context.text.matches('{'(a?){500}' * 20}b')",
    "regex of a context": "context.list.all(x, context.text.matches(context.pattern + string(x)))",
    "regex in a loop": "context.list.all(x, !context.text.matches('(x+x+)+y'))",
    "regex of classes": f"context.list.all(x, context.text.matches('{chr(92) * 2}pL{{900}}b'))",
    "regex of repetitions in a loop": f"context.list.all(x, context.text.matches('{'a{900}' * 20}b'))",
    "regex of Unicode": f"context.text.matches('{'[^a-z]?' * 200}b')",
    "regex of references": "context.text.matches('(a)\\\\1')",
    "parentheses": f"{'(' * 900}true{')' * 900}",
    "lists within lists": f"{'[' * 900}{']' * 900} == []",
    "maps within maps": f"{'{1:' * 400}1{'}' * 400} == 1",
    "conditions within conditions": f"{'true ? (' * 190}true{') : false' * 190}",
    "not": f"{'!' * 1998}true",
    "minus": f"{'-' * 1990}1 == 1",
    "fields of fields": f"context{'.a' * 900} == 1",
    "sums": "+".join("1" * 900) + " == 1",
    "or": "||".join(["true"] * 330),
    "strings in strings": '"' * 1999,
    "triple quotes": "'''" * 600,
    "too long": f"true{' ' * 3000}",
    "huge integer": f"{'9' * 1000} > 1",
    "huge double": f"1e{'9' * 1000} > 1.0",
    "huge hexadecimal": f"0x{'f' * 1000} > 1",
    "overflow": "9223372036854775807 + 1 > 0",
    "smallest by minus one": "-9223372036854775808 / -1 > 0",
    "division by zero": "1 / 0 == 1",
    "modulo zero": "1 % 0 == 1",
    "index below": "context.list[-1] == 1",
    "index beyond": "context.list[9223372036854775807] == 1",
    "moment beyond": "timestamp('9999-12-31T23:59:59Z') + duration('999999h') > now",
    "duration beyond": "duration('99999999999999999999h') > duration('1s')",
    "bytes that are no text": "string(b'\\xff\\xfe') == ''",
    "half a surrogate pair": "'\\ud800' == ''",
    "half a surrogate pair as it is": "'\ud800' == ''",
    "null character": "'\x00' == ''",
    "null character, written": "'\\x00' == ''",
    "right to left": "'\u202e' == context.text",
    "letters that look alike": "\u0441\u043entext.text == ''",
    "zero width": "context\u200b.text == ''",
    "full width": "context.text.size\uff08\uff09 > 1",
    "only a comment": "// true",
    "blank lines": "\n" * 1000,
    "nothing": " ",
}

TEMPLATES = {
    "attribute": "{{ user.__class__.__mro__ }}{{ context.text.__class__ }}",
    "attribute by index": "{{ user['__class__'] }}{{ context.list['append'] }}{{ context.list.append }}",
    "globals": "{{ self }}{{ environment }}{{ context.env }}",
    "file": "{% include '/etc/passwd' %}",
    "template": "{% render 'admin/base.html' %}",
    "unescaped": "{{ context.angles | safe }}",
    "long range": "{% for i in (1..1000000000) %}x{% endfor %}",
    "long range, joined": "{{ (1..1000000000) | join: ',' }}",
    "long range, turned": "{% assign x = (1..1000000000) | reverse %}{{ x }}",
    "long range, kept": "{% assign x = (1..1000000000) %}{% if x contains 5.5 %}y{% endif %}",
    "long range, searched": "{% if (1..1000000000) contains 5.5 %}y{% endif %}",
    "longest range": "{{ (1..99999999999999999999999) | size }}",
    "table": "{% tablerow i in (1..100000000) %}x{% endtablerow %}",
    "loops in loops": f"{'{% for a in (1..100) %}' * 5}x{'{% endfor %}' * 5}",
    "loops after loops": "{% for a in (1..9999) %}{% if a == 3 %}{% endif %}{% endfor %}" * 400,
    "empty loops": "{% for a in (1..9999) %}{% endfor %}" * 800,
    "replaced by itself": "{{ context.text" + " | replace: '', context.text" * 10 + " }}",
    "joined by itself": "{{ context.text | split: '' | join: context.text }}",
    "doubled": f"{{% assign x = context.text %}}{'{% assign x = x | append: x %}' * 40}",
    "captured twice": "{% capture x %}{{ context.text }}{% endcapture %}"
    + "{% capture x %}{{ x }}{{ x }}{% endcapture %}" * 40,
    "lists doubled": f"{{% assign a = context.list %}}{'{% assign a = a | concat: a %}' * 30}{{{{ a | size }}}}",
    "many names": "".join(f"{{% assign a{i} = context.text | append: '{i}' %}}" for i in range(600)),
    "squares": f"{{% assign x = 99999999 %}}{'{% assign x = x | times: x %}' * 40}{{{{ x }}}}",
    "squares of fractions": f"{{% assign x = 9999999.5 %}}{'{% assign x = x | times: x %}' * 40}{{{{ x }}}}",
    "exponent": "{{ '1e999999999' | plus: 1 | ceil }}",
    "sum of exponents": "{% assign a = '1e999999999,1' | split: ',' %}{{ a | sum | ceil }}",
    "rounded": "{{ 1.5 | round: 999999999 }}{{ 15 | round: -999999999 }}",
    "huge integer": f"{{{{ {'9' * 30_000} }}}}",
    "divided by zero": "{{ 1 | divided_by: 0 }}{{ 1 | modulo: 0 }}",
    "date of a width": "{{ now | date: '%999999999d' }}",
    "date of digits": f"{{{{ '{'1' * 5000}' | date: '%Y' }}}}",
    "date of a dictionary": "{{ context | date: '%Y' }}",
    "date far away": "{{ 99999999999999 | date: '%Y' }}",
    "blocks": f"{'{% if user %}' * 500}{'{% endif %}' * 500}",
    "or": f"{{% if {' or '.join(['user'] * 3000)} %}}x{{% endif %}}",
    "fields of fields": f"{{{{ user{'.a' * 10_000} }}}}",
    "brackets": f"{{{{ user{'[user' * 3000}{']' * 3000} }}}}",
    "filters": f"{{{{ user {'|size' * 6000}}}}}",
    "escaped again": f"{{{{ context.angles{'| escape' * 3000} }}}}",
    "open braces": "{{" * 16_000,
    "open braces behind": "}}" + "{{ " * 10_000,
    "one brace": "{" * 32_000,
    "braces and percents": "{%{{" * 8000,
    "open tags": "{%" * 16_000,
    "open tags and ends": "{% " * 8000 + "%}" * 3000,
    "raw": "{% raw %}" * 3600,
    "comments": "{% comment %}" * 2500,
    "docs": "{% doc %}" * 4000,
    "quotes": "{{ '" * 8000,
    "quotes in one": "{{ " + "'" * 30_000 + " }}",
    "tags without spaces": f"{{%{' ' * 32_000}",
    "spaces, in between": "{{ " + (" " * 199 + ". ") * 150 + "}}",
    "spaces in many": ("{{" + " " * 190 + "user" + " " * 190 + "}}") * 80,
    "spaces in tags": ("{%" + " " * 190 + "if" + " " * 190 + "%}") * 80,
    "spaces": f"{{{{{' ' * 32_000}}}}}",
    "searched in a loop": "{% for i in (1..9999) %}{% if context.angles contains '<<<a' %}1{% endif %}{% endfor %}"
    * 20,
    "unique in a loop": "{% for i in (1..1000) %}{{ context.items | uniq | size }}{% endfor %}",
    "sorted": "{{ context.mixed | sort }}{{ context.mixed | sort_natural }}{{ context.mixed | sum }}",
    "tags stripped": "{{ context.angles | strip_html | size }}",
    "base64": "{{ '////' | base64_decode }}{{ 'x' | base64_decode }}",
    "half a surrogate pair": "{{ '\ud800' }}",
    "null character": "a\x00{{ '\x00' }}",
    "right to left": "{{ '\u202e' }}{{ 'ﬀ' | upcase }}",
    "break": "{% break %}",
    "misspelt": "{{ usr.email }}",
    "unknown filter": "{{ user | frobnicate }}",
    "unknown tag": "{% frobnicate %}",
    "too long": "x" * 40_000,
}


def peak() -> int:
    """MiB that this process has ever had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


@pytest.fixture
def bounded() -> Any:
    time_before, memory_before = time.process_time(), peak()
    yield
    assert time.process_time() - time_before < MOST_TIME
    assert peak() - memory_before < MOST_MEMORY


@pytest.mark.usefixtures("bounded")
@pytest.mark.parametrize("source", EXPRESSIONS.values(), ids=EXPRESSIONS)
def test_a_hostile_expression_is_refused_or_bounded(source: str) -> None:
    try:
        expressions.check(source, question=True)
    except ValidationError:
        return
    with suppress(expressions.ExpressionError):
        assert isinstance(expressions.evaluate(source, VARIABLES), bool)


@pytest.mark.usefixtures("bounded")
@pytest.mark.parametrize("html", [False, True], ids=["text", "html"])
@pytest.mark.parametrize("source", TEMPLATES.values(), ids=TEMPLATES)
def test_a_hostile_template_is_refused_or_bounded(source: str, html: bool) -> None:
    try:
        templates.check(source)
    except ValidationError:
        return
    with suppress(templates.TemplateError):
        text = templates.render(source, VARIABLES, html=html)
        assert len(text.encode()) <= 2 * templates.MAX_TEXT
        assert "class" not in text
        assert "built-in" not in text


@pytest.fixture
def client(db: None) -> APIClient:
    client = APIClient()
    client.force_authenticate(User.objects.create_superuser("root"))
    return client


def status(client: APIClient, **parts: Any) -> int:
    """Of a request to save a trigger, sent as JSON that is plain ASCII."""
    body = {"type": "triggers.Trigger", "name": "hostile", **parts}
    response = client.post("/api/v1/triggers/", body, format="json")
    if response.status_code == 400:
        assert response.json()["code"]
    return response.status_code


@pytest.mark.parametrize("source", EXPRESSIONS.values(), ids=EXPRESSIONS)
def test_a_hostile_expression_over_http_is_no_error_of_the_server(client: APIClient, source: str) -> None:
    source = source.encode("utf-8", "replace").decode()
    condition = {"type": "triggers_conditions.ExpressionCondition", "expression": source}
    assert status(client, conditions=[condition]) in (201, 400)


@pytest.mark.parametrize("source", TEMPLATES.values(), ids=TEMPLATES)
def test_a_hostile_template_over_http_is_no_error_of_the_server(client: APIClient, source: str) -> None:
    source = source.encode("utf-8", "replace").decode()
    action = {"type": "triggers_actions.SendEmail", "subject": "x", "text": source, "html": source}
    assert status(client, actions=[action]) in (201, 400)
