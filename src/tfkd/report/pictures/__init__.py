"""Small pictures of images, and what a network says of each."""
