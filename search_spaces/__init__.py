"""What is searched: pure data over configuration paths."""
