"""Files of what was recorded, which studies replay."""

import os
from pathlib import Path
from typing import Self

from tidegate.config.model.options import Options


class Recording(Options):
    """A file of what was recorded."""

    file: Path
    """The recording, relative to the study's file."""

    def below(self, folder: Path) -> Self:
        """The same, relative to `folder`."""
        return self.model_copy(update={"file": Path(os.path.normpath(folder / self.file))})
