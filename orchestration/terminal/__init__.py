"""How a command speaks: streams and verbosity, exit codes, mistakes, unexpected errors."""
