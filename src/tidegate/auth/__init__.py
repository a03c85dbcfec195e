"""What authenticators go by beside the configuration."""
