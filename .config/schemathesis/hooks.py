"""What Schemathesis does not know by itself: how SPARQL is sent, and how the token is asked for."""

import atexit
import os

import requests
import schemathesis

_asked = set()


@atexit.register
def tell_what_was_asked():
    """For .ci/schemathesis: what the time did not suffice for must not pass for right."""
    with open(os.environ["ASKED"], "w", encoding="utf-8") as file:
        file.writelines(f"{route}\n" for route in sorted(_asked))


@schemathesis.serializer("application/sparql-query", "application/sparql-update")
def sparql(_context, value):
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass")


@schemathesis.check
def token_is_asked_for(_context, response, case):
    """The same request without a token is 401, but where the document says that none is needed."""
    route = case.operation.label
    if route in _asked:
        return
    _asked.add(route)
    sent = response.request
    headers = {name: value for name, value in sent.headers.items() if name.lower() != "authorization"}
    without = requests.request(
        sent.method, sent.url, headers=headers, data=sent.body, allow_redirects=False, timeout=15
    )
    needed = case.operation.definition.raw.get("security") != [{}]
    assert not needed or without.status_code == 401, f"{route} answers {without.status_code} without a token"
