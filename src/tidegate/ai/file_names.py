"""What the files of a model are called."""

MANIFEST = "manifest.json"
GOLDEN = "golden.f32"
