"""Commands that have commands of their own (`taximeter keys ...`): one typer app each, which imports what it runs."""
