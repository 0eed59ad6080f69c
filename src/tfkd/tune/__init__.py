"""Settings chosen on validation data, with the same budget for each method."""
