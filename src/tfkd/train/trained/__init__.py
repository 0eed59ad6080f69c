"""What a trained network is used for: to measure it, to ask it, to take it elsewhere."""
