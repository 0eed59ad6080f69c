"""How a teacher's answers are kept."""
