"""One module a command: parse nothing, decide little, show well."""
