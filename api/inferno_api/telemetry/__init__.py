"""What operators see: metrics, spans, log lines, and whether words still come."""
