"""The gRPC border: who calls, what was asked, how an outcome is told. Decides nothing about providers."""
