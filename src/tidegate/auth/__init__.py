"""What the engine needs to know of identity providers: their keys, and the tokens that are revoked."""
