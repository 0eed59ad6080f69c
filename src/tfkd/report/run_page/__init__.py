"""What a page of one run says, section by section, with pictures."""
