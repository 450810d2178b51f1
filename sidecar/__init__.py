"""The metering sidecar: takes AI calls over gRPC, routes them, and keeps the book of account."""
