"""A study as a page, a table for a paper, or plain text."""
