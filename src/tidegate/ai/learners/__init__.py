"""What models are trained by, a file each."""
