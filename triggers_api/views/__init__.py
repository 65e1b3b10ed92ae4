"""The views of the HTTP API. Each calls one function of the library and tells what it answered."""
