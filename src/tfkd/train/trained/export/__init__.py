"""How a trained network is taken elsewhere: one file a format, and what lies beside it."""
