"""What the end-to-end tests are made of: real gateways, scriptable origins and clients that can misbehave."""
