"""Requests that were made before: a repeat of a request_id is never sent or billed twice."""
