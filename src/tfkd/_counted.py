"""How many there are of what."""


def number_of(count: int, name: str) -> str:
    """Write how many there are of what.

    Example:
        >>> number_of(1, "epoch"), number_of(1200, "epoch")
        ('1 epoch', '1,200 epochs')
    """
    return f"{count:,} {name}{'' if count == 1 else 's'}"
