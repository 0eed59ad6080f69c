"""Where samples come from: data sets as they are distributed, and folders of images."""
