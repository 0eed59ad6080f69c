"""One step of the optimiser: which batches it takes, and what it does with them."""
