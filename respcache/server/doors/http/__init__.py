"""The HTTP door: Upstash's REST API, the first sketch's own routes, /metrics and /health."""
