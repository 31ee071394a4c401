"""One file per paper: networks, losses and players."""
