"""What the seeds of a study allow one to say."""
