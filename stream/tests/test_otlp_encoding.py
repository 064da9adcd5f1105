"""What is encoded is read back by OTLP's own classes."""

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from inferno_core import trace
from inferno_stream.otlp_encoding import encode
from inferno_stream.tracing import Span, Value


def test_values_keep_their_types() -> None:
    given: dict[str, Value] = {
        "s": "é",
        "b": True,
        "i": 1,
        "f": 1.0,
        "l": ("x", "y"),
        "big": 1 << 64,
        "least": -(1 << 63),
    }
    context = trace.root(sampled=True)
    data = encode([Span("a", "internal", context, None, 1, 2, given)], {"service.name": "x"})
    (group,) = ExportTraceServiceRequest.FromString(data).resource_spans
    (span,) = group.scope_spans[0].spans
    values = {attribute.key: attribute.value for attribute in span.attributes}
    kinds = {name: value.WhichOneof("value") for name, value in values.items()}
    assert kinds == {
        "s": "string_value", "b": "bool_value", "i": "int_value", "f": "double_value", "l": "array_value",
        "big": "string_value", "least": "int_value",
    }  # fmt: skip
    assert (values["s"].string_value, values["big"].string_value) == ("é", str(1 << 64))
    assert (span.parent_span_id, span.status.code) == (b"", 0)
    assert span.trace_id.hex() == context.trace_id
