"""A study at a glance: each method's differences and what it costs, beside its verdict."""
