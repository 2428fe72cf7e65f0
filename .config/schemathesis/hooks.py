"""What Schemathesis does not know by itself: SPARQL is sent as the text it is."""

import schemathesis


@schemathesis.serializer("application/sparql-query", "application/sparql-update")
def sparql(_context, value):
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass")
