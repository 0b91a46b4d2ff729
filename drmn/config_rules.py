"""Range rules of the configuration's fields: name, value and rule in every message."""

from drmn.errors import ConfigError


def check_at_least(node: object, name: str, low: float) -> None:
    value = getattr(node, name)
    if not value >= low:
        raise ConfigError(f"the value of `{name}` is {value!r}, but must be >= {low:g}")


def check_positive(node: object, name: str) -> None:
    value = getattr(node, name)
    if not value > 0:
        raise ConfigError(f"the value of `{name}` is {value!r}, but must be > 0")


def check_between(
    node: object, name: str, low: float, high: float, *, open_right: bool = False
) -> None:
    value = getattr(node, name)
    if not low <= value <= high or (open_right and value == high):
        bracket = ")" if open_right else "]"
        rule = f"must lie in [{low:g}, {high:g}{bracket}"
        raise ConfigError(f"the value of `{name}` is {value!r}, but {rule}")
