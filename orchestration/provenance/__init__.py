"""Where a result came from: data, code, packages, machine, command."""
