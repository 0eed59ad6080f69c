"""Which method to use on data at hand: found out within a budget of time, and said."""
